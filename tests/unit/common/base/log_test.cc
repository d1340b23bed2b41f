#include "common/base/log.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

using namespace aquifer;

namespace {

// The log is one per process; each test starts it on a pipe of its own and puts the defaults back.
class LogOnPipe {
 public:
  explicit LogOnPipe(std::string_view filter, log::Format format = log::Format::text) {
    REQUIRE(::pipe2(ends_, O_CLOEXEC) == 0);
    log::init({.filter = *log::Filter::parse(filter), .format = format, .fd = ends_[1]});
  }
  LogOnPipe(const LogOnPipe&) = delete;
  LogOnPipe& operator=(const LogOnPipe&) = delete;
  ~LogOnPipe() {
    if (ends_[1] >= 0) static_cast<void>(finish());
  }
  std::string finish() {
    log::shutdown();
    log::set_filter(log::Filter());
    ::close(std::exchange(ends_[1], -1));
    std::string all;
    char chunk[4096];
    for (ssize_t n; (n = ::read(ends_[0], chunk, sizeof chunk)) > 0;)
      all.append(chunk, static_cast<std::size_t>(n));
    ::close(ends_[0]);
    return all;
  }

 private:
  int ends_[2] = {-1, -1};
};

// All of a line but its time.
std::string after_time(const std::string& log) {
  return log.substr(log.find('\t') + 1);
}

struct Greeting {
  std::unique_ptr<std::string> name;  // move-only, as records with leases are
  std::string_view message() const { return "hello"; }
  void add_fields(log::Fields& fields) const { fields.str("name", *name); }
};

}  // namespace

TEST_CASE("a formatted line carries level, target and message") {
  LogOnPipe log("info");
  log::info("proxy::inbound", "listening on {}:{}", "10.0.0.1", 15008);
  log::debug("proxy::inbound", "not {}", "seen");
  CHECK(after_time(log.finish()) == "info\tproxy::inbound\tlistening on 10.0.0.1:15008\n");
}

TEST_CASE("a line with fields, in JSON when so chosen") {
  LogOnPipe log("info", log::Format::json);
  log::line(log::Level::warn, "capture", "pod is not captured",
            log::Fields().str("pod", "default/a").num("tries", 3));
  std::string text = log.finish();
  CHECK(text.starts_with(R"({"level":"warn","time":"20)"));
  CHECK(text.ends_with(
      R"("scope":"capture","message":"pod is not captured","pod":"default/a","tries":3})"
      "\n"));
}

TEST_CASE("an event is moved in and asked for its fields later") {
  LogOnPipe log("info");
  log::submit(log::Level::info, "access", Greeting{std::make_unique<std::string>("you")});
  log::submit(log::Level::debug, "access", Greeting{std::make_unique<std::string>("nobody")});
  CHECK(after_time(log.finish()) == "info\taccess\thello\tname=\"you\"\n");
}

TEST_CASE("the filter can be changed while running, and every thread sees it") {
  LogOnPipe log("info");
  CHECK_FALSE(log::enabled(log::Level::debug, "xds"));
  CHECK(log::enabled(log::Level::info, "access"));
  log::set_filter(*log::filter().with("xds=debug,access=off"));
  CHECK(log::enabled(log::Level::debug, "xds"));
  CHECK_FALSE(log::enabled(log::Level::debug, "proxy"));
  CHECK_FALSE(log::enabled(log::Level::error, "access"));
  CHECK(log::filter().to_string() == "access=off,xds=debug,info");
}

TEST_CASE("what was logged before a fatal end is written") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    log::init({.fd = ends[1]});
    for (int i = 0; i < 100; ++i) log::info("app", "line {}", i);
    log::error("app", "the last words");
    ::abort();
  }
  ::close(ends[1]);
  std::string all;
  char chunk[4096];
  for (ssize_t n; (n = ::read(ends[0], chunk, sizeof chunk)) > 0;)
    all.append(chunk, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(all.find("\tline 99\n") != std::string::npos);
  CHECK(all.find("\tthe last words\n") != std::string::npos);
}
