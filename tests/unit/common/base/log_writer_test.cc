#include "common/base/log_writer.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace aquifer::log;
using namespace std::chrono_literals;

namespace {

struct Pipe {
  int reader = -1;
  int writer = -1;
  explicit Pipe(int bytes = 1 << 20) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader = ends[0];
    writer = ends[1];
    REQUIRE(::fcntl(writer, F_SETPIPE_SZ, bytes) >= bytes);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(reader);
    close_writer();
  }
  void close_writer() {
    if (writer >= 0) ::close(std::exchange(writer, -1));
  }
  std::string read_to_end() {
    close_writer();
    std::string all;
    char chunk[65536];
    for (ssize_t n; (n = ::read(reader, chunk, sizeof chunk)) > 0;)
      all.append(chunk, static_cast<std::size_t>(n));
    return all;
  }
};

class TestRecord final : public Record {
 public:
  explicit TestRecord(std::string text, std::thread::id* formatted_on = nullptr)
      : Record(Level::info, "test"), text_(std::move(text)), formatted_on_(formatted_on) {}

 protected:
  std::string_view message() const override { return text_; }
  void add_fields(Fields& fields) const override {
    if (formatted_on_ != nullptr) *formatted_on_ = std::this_thread::get_id();
    fields.num("n", 1);
  }

 private:
  std::string text_;
  std::thread::id* formatted_on_;
};

std::unique_ptr<Record> record(std::string text) {
  return std::make_unique<TestRecord>(std::move(text));
}

std::vector<std::string> messages(const std::string& log) {
  std::vector<std::string> found;
  for (std::size_t at = 0; at < log.size();) {
    std::size_t end = log.find('\n', at);
    REQUIRE(end != std::string::npos);
    std::string line = log.substr(at, end - at);
    at = end + 1;
    std::size_t message = line.find("\ttest\t");
    if (message != std::string::npos) {
      message += 6;
      found.push_back(line.substr(message, line.find('\t', message) - message));
    } else {
      found.push_back(line.substr(line.find('\t') + 1));
    }
  }
  return found;
}

// Takes nothing until it is let go: a reader of our output that hangs, without a full pipe to make
// first.
class BlockingRecord final : public Record {
 public:
  BlockingRecord(std::atomic<bool>& reached, std::atomic<bool>& go)
      : Record(Level::info, "test"), reached_(reached), go_(go) {}

 protected:
  std::string_view message() const override { return "blocked"; }
  void add_fields(Fields&) const override {
    reached_.store(true);
    reached_.notify_all();
    go_.wait(false);
  }

 private:
  std::atomic<bool>& reached_;
  std::atomic<bool>& go_;
};

}  // namespace

TEST_CASE("lines come out in the order one thread pushed them, across many batches") {
  Pipe pipe;
  Writer writer;
  writer.start({.fd = pipe.writer});
  for (int i = 0; i < 1000; ++i) REQUIRE(writer.push(record(std::to_string(i))));
  writer.stop(5s);
  std::vector<std::string> lines = messages(pipe.read_to_end());
  REQUIRE(lines.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(lines[static_cast<std::size_t>(i)] == std::to_string(i));
}

TEST_CASE("records are formatted on the writer's thread") {
  Pipe pipe;
  Writer writer;
  std::thread::id formatted_on;
  writer.start({.fd = pipe.writer});
  writer.push(std::make_unique<TestRecord>("x", &formatted_on));
  CHECK(writer.flush(5s));
  writer.stop(5s);
  CHECK(formatted_on != std::thread::id());
  CHECK(formatted_on != std::this_thread::get_id());
}

TEST_CASE("when the queue is full the new line is dropped and the loss is told in the log") {
  Pipe pipe;
  Writer writer;
  std::atomic<bool> reached = false;
  std::atomic<bool> go = false;
  writer.start({.fd = pipe.writer, .queue_lines_max = 4});
  REQUIRE(writer.push(std::make_unique<BlockingRecord>(reached, go)));
  reached.wait(false);
  for (int i = 0; i < 3; ++i) CHECK(writer.push(record("kept")));
  for (int i = 0; i < 5; ++i) CHECK_FALSE(writer.push(record("lost")));
  CHECK(writer.dropped() == 5);
  go.store(true);
  go.notify_all();
  CHECK(writer.flush(5s));
  CHECK(writer.push(record("after")));
  writer.stop(5s);

  std::string log = pipe.read_to_end();
  std::vector<std::string> lines = messages(log);
  CHECK(std::ranges::count(lines, "kept") == 3);
  CHECK(std::ranges::count(lines, "lost") == 0);
  CHECK(std::ranges::count(lines, "after") == 1);
  CHECK(log.find("\twarn\tlog\tlog lines lost, the queue was full\tlines=5\n") !=
        std::string::npos);
}

TEST_CASE("every line of many threads is written once, and each thread's in its order") {
  constexpr int kThreads = 4;
  constexpr int kLines = 2000;
  Pipe pipe;
  Writer writer;
  writer.start({.fd = pipe.writer, .queue_lines_max = kThreads * kLines});
  std::string log;
  std::thread reader([&] {
    char chunk[65536];
    for (ssize_t n; (n = ::read(pipe.reader, chunk, sizeof chunk)) > 0;)
      log.append(chunk, static_cast<std::size_t>(n));
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&writer, t] {
      for (int i = 0; i < kLines; ++i)
        writer.push(record(std::to_string(t) + ":" + std::to_string(i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  writer.stop(10s);
  pipe.close_writer();
  reader.join();

  std::vector<int> next(kThreads, 0);
  std::vector<std::string> lines = messages(log);
  CHECK(lines.size() == kThreads * kLines);
  bool in_order = true;
  for (const std::string& line : lines) {
    int& expected = next[static_cast<std::size_t>(line[0] - '0')];
    in_order = in_order && line.substr(2) == std::to_string(expected);
    ++expected;
  }
  CHECK(in_order);
}

TEST_CASE("a push made while the writer sleeps wakes it") {
  Pipe pipe;
  Writer writer;
  writer.start({.fd = pipe.writer});
  char byte = 0;
  for (int i = 0; i < 20; ++i) {
    writer.push(record("x"));
    // A blocking read is the wait: without the wake-up this test would hang.
    do {
      REQUIRE(::read(pipe.reader, &byte, 1) == 1);
    } while (byte != '\n');
    if (i % 5 == 0)
      std::this_thread::sleep_for(7ms);  // longer than the linger, so that it really goes to sleep
  }
  writer.stop(5s);
}

TEST_CASE("a sink that takes nothing does not keep the process from ending") {
  Pipe pipe(4096);
  Writer writer;
  writer.start({.fd = pipe.writer});
  for (int i = 0; i < 500; ++i) writer.push(record(std::string(100, 'x')));
  auto before = std::chrono::steady_clock::now();
  writer.stop(50ms);
  CHECK(std::chrono::steady_clock::now() - before < 5s);
  CHECK_FALSE(writer.running());
  // What was taken before is whole.
  CHECK(pipe.read_to_end().size() >= 4096);
}

TEST_CASE("a closed reader ends neither the process nor the writer") {
  Pipe pipe;
  Writer writer;
  writer.start({.fd = pipe.writer});
  ::close(std::exchange(pipe.reader, -1));
  writer.push(record("into nothing"));
  CHECK(writer.flush(5s));
  writer.push(record("again"));
  CHECK(writer.flush(5s));
  writer.stop(5s);
}

TEST_CASE("a non-blocking sink gets whole lines") {
  Pipe pipe(4096);
  REQUIRE(::fcntl(pipe.writer, F_SETFL, O_NONBLOCK) == 0);
  Writer writer;
  writer.start({.fd = pipe.writer});
  for (int i = 0; i < 200; ++i) writer.push(record(std::string(200, 'x')));
  std::string log;
  std::thread reader([&] {
    char chunk[512];
    for (ssize_t n; (n = ::read(pipe.reader, chunk, sizeof chunk)) > 0;)
      log.append(chunk, static_cast<std::size_t>(n));
  });
  writer.stop(10s);
  pipe.close_writer();
  reader.join();
  std::vector<std::string> lines = messages(log);
  CHECK(std::ranges::count(lines, std::string(200, 'x')) == 200);
}
