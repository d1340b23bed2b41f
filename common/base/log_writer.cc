#include "common/base/log_writer.h"

#include <climits>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace aquifer::log {
namespace {

// One write for this many lines: about 32 KiB, past which a system call costs little against the
// copying.
constexpr int kLinesPerWriteMax = 64;

// After a batch the writer looks again after this time instead of asking to be woken. So producers
// pay for a wake-up at most 200 times a second however much is logged, and a line is seen within 5
// ms.
constexpr auto kLinger = std::chrono::milliseconds(5);

// How soon a writer that waits for its sink notices that the process wants to end.
constexpr int kGiveUpLookMs = 20;

void sleep_ms(long ms) noexcept {
  timespec pause{.tv_sec = 0, .tv_nsec = ms * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

class DropReport final : public Record {
 public:
  explicit DropReport(std::uint64_t lines) noexcept : Record(Level::warn, "log"), lines_(lines) {}

 protected:
  std::string_view message() const override { return "log lines lost, the queue was full"; }
  void add_fields(Fields& fields) const override { fields.num("lines", lines_); }

 private:
  std::uint64_t lines_;
};

}  // namespace

bool write_fully(int fd, std::string_view bytes, const std::atomic<bool>* give_up) noexcept {
  while (!bytes.empty()) {
    // Only what a pipe that polls as writable surely has room for, so that no write blocks.
    pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
    if (::poll(&writable, 1, kGiveUpLookMs) == 0) {
      if (give_up != nullptr && give_up->load()) return false;
      continue;
    }
    const ssize_t n = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (n >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR && errno != EAGAIN) {
      return false;
    }
  }
  return true;
}

void Record::render(std::string& out, Format format) const {
  Fields fields(format);
  add_fields(fields);
  // No columns: the message is the whole line (log_line.h).
  if (target_.empty()) {
    out.append(message()).push_back('\n');
    return;
  }
  append_line(out, format, time_, level_, target_, message(), fields.rendered());
}

void Writer::start(const WriterOptions& options) {
  options_ = options;
  stopping_.store(false);
  given_up_.store(false);
  // Signals are the business of other threads; a SIGPIPE of ours becomes EPIPE.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(thread_.native_handle(), "log");
  running_.store(true, std::memory_order_release);
}

void Writer::stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  running_.store(false, std::memory_order_release);
  if (!flush(patience)) given_up_.store(true);
  stopping_.store(true);
  wake_.release();
  thread_.join();
}

bool Writer::push(std::unique_ptr<Record> record) noexcept {
  // Producers that race here may exceed the bound by one line each, which no one can see.
  std::uint64_t queued =
      accepted_.load(std::memory_order_relaxed) - written_.load(std::memory_order_relaxed);
  if (queued >= options_.queue_lines_max) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  accepted_.fetch_add(1, std::memory_order_relaxed);
  Record* mine = record.release();
  mine->next_ = newest_.load(std::memory_order_relaxed);
  // Sequentially consistent with the writer's store to asleep_ and its look at newest_: one of the
  // two sees the other.
  while (!newest_.compare_exchange_weak(mine->next_, mine, std::memory_order_seq_cst,
                                        std::memory_order_relaxed)) {
  }
  if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) wake_.release();
  return true;
}

bool Writer::flush(std::chrono::milliseconds patience) noexcept {
  std::uint64_t goal = accepted_.load();
  for (auto waited = std::chrono::milliseconds(0); written_.load() < goal; ++waited) {
    if (waited >= patience) return false;
    wake_.release();
    sleep_ms(1);
  }
  return true;
}

void Writer::run() {
  for (;;) {
    bool stopping = stopping_.load();
    if (write_batch()) {
      // Not a timed wait on the semaphore: that one spins and yields before it sleeps.
      if (!stopping && oldest_ == nullptr) sleep_ms(kLinger.count());
      continue;
    }
    if (stopping) return;
    asleep_.store(true, std::memory_order_seq_cst);
    if (newest_.load(std::memory_order_seq_cst) == nullptr && !stopping_.load()) wake_.acquire();
    asleep_.store(false, std::memory_order_relaxed);
  }
}

bool Writer::write_batch() {
  if (oldest_ == nullptr) {
    Record* taken = newest_.exchange(nullptr, std::memory_order_acquire);
    while (taken != nullptr) {
      Record* next = taken->next_;
      taken->next_ = oldest_;
      oldest_ = taken;
      taken = next;
    }
  }
  if (oldest_ == nullptr) return false;

  std::string out;
  std::uint64_t lines = 0;
  for (; oldest_ != nullptr && lines < kLinesPerWriteMax; ++lines) {
    std::unique_ptr<Record> record(oldest_);
    oldest_ = record->next_;
    if (!given_up_.load(std::memory_order_relaxed)) record->render(out, options_.format);
  }
  report_drops(out);
  // A sink that is gone takes nothing more, and there is nowhere left to say so.
  static_cast<void>(write_fully(options_.fd, out, &given_up_));
  written_.fetch_add(lines);
  return true;
}

void Writer::report_drops(std::string& out) {
  std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
  if (dropped == drops_reported_) return;
  DropReport(dropped - drops_reported_).render(out, options_.format);
  drops_reported_ = dropped;
}

}  // namespace aquifer::log
