#include "ztunnel/capture/child_process.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

using namespace aquifer;
using namespace aquifer::ztunnel;

namespace {

io::NetworkNamespace own_namespace() {
  auto own = io::NetworkNamespace::current();
  REQUIRE(own.has_value());
  return std::move(*own);
}

CaptureResult<ChildOutcome> shell(const std::string& script, std::string input = {},
                                  Duration timeout = kChildTimeout) {
  return run_in_namespace(own_namespace(),
                          {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, std::move(input)},
                          timeout);
}

bool has_no_children() {
  return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD;
}

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

}  // namespace

TEST_CASE("a program's two outputs and its exit code come back apart") {
  const auto outcome = shell("echo out; echo err >&2; exit 3");
  REQUIRE(outcome.has_value());
  CHECK(outcome->output == "out\n");
  CHECK(outcome->errors == "err\n");
  CHECK(outcome->exit_code == 3);
}

TEST_CASE("input far larger than any buffer arrives whole, and its end is seen") {
  const std::string input(3'000'000, 'x');
  const auto outcome = shell("wc -c", input);
  REQUIRE(outcome.has_value());
  CHECK(std::stol(outcome->output) == 3'000'000);
}

TEST_CASE(
    "a program that does not read its input fails by its own exit code, not by a signal to us") {
  const auto outcome = shell("exit 7", std::string(1'000'000, 'x'));
  REQUIRE(outcome.has_value());
  CHECK(outcome->exit_code == 7);
}

TEST_CASE("a program that hangs is killed with what it started, and no child is left behind") {
  const auto start = Clock::now();
  const auto outcome = shell("sleep 100 & sleep 100; wait", {}, std::chrono::milliseconds(100));
  REQUIRE(!outcome.has_value());
  CHECK(outcome.error().failure == CaptureFailure::timed_out);
  CHECK(Clock::now() - start < std::chrono::seconds(5));
  CHECK(has_no_children());
}

TEST_CASE("a program that ends leaving its output open to another does not hold us") {
  const auto start = Clock::now();
  const auto outcome = shell("sleep 3 & exit 0");
  REQUIRE(outcome.has_value());
  CHECK(outcome->exit_code == 0);
  CHECK(Clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("a program that writes without end is stopped") {
  const auto outcome = shell("cat /dev/zero");
  REQUIRE(!outcome.has_value());
  CHECK(outcome.error().failure == CaptureFailure::refused);
  CHECK(has_no_children());
}

TEST_CASE("a program killed by a signal, and one that is not there, are failures that say so") {
  const auto killed = shell("kill -9 $$");
  REQUIRE(!killed.has_value());
  CHECK(killed.error().reason == "/bin/sh: killed by signal 9");
  const auto missing = run_in_namespace(own_namespace(), {{"/nonexistent/iptables"}, {}, {}});
  REQUIRE(!missing.has_value());
  CHECK(missing.error().reason.contains("No such file or directory"));
}

TEST_CASE("the program sees no descriptor of ours, even one that is not close-on-exec") {
  const int leaky = ::open("/dev/null", O_RDONLY);
  REQUIRE(leaky >= 0);
  const auto outcome = shell("ls -l /proc/self/fd | grep -c /dev/null; true");
  ::close(leaky);
  REQUIRE(outcome.has_value());
  CHECK(outcome->output == "0\n");
}

TEST_CASE("nothing of ours is left open afterwards, after success and after failure") {
  (void)shell("true");
  const auto before = open_descriptors();
  (void)shell("true");
  (void)shell("sleep 100", {}, std::chrono::milliseconds(20));
  (void)run_in_namespace(own_namespace(), {{"/nonexistent/iptables"}, {}, {}});
  CHECK(open_descriptors() == before);
}

TEST_CASE("signals that we block or ignore are normal to the program") {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
  const auto outcome = shell("kill -TERM $$; echo still here");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(!outcome.has_value());
  CHECK(outcome.error().reason == "/bin/sh: killed by signal 15");
}

TEST_CASE("it works while other threads allocate and start programs of their own") {
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&right] {
      for (int round = 0; round < 10; ++round) {
        const auto outcome = shell("cat", "hello");
        if (outcome && outcome->output == "hello") right.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right.load() == 80);
}

TEST_CASE("a reason is one bounded line") {
  CHECK(one_line("iptables-restore v1.8.9:\n  line 3 failed\n\n") ==
        "iptables-restore v1.8.9: line 3 failed");
  CHECK(one_line("a\x1b[31mb\x7f") == "a [31mb");
  CHECK(one_line("") == "");
  CHECK(one_line(std::string(5000, 'a')).size() == 303);
}
