#include "common/base/fd.h"

#include "common/base/assert.h"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

namespace aquifer {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}
Fd open_null() {
  return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST_CASE("a descriptor is closed exactly by its last owner") {
  int number = -1;
  {
    Fd first = open_null();
    number = first.get();
    Fd second = std::move(first);
    CHECK_FALSE(first.valid());
    CHECK(second.get() == number);
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("assigning closes what was owned before, and releasing closes nothing") {
  Fd kept = open_null();
  const int old_number = kept.get();
  Fd other = open_null();
  const int new_number = other.get();
  kept = std::move(other);
  CHECK_FALSE(is_open(old_number));
  CHECK(kept.release() == new_number);
  CHECK(is_open(new_number));
  ::close(new_number);
}

TEST_CASE("closing keeps the errno of the call that failed before") {
  errno = EADDRINUSE;
  {
    Fd gone = open_null();
    errno = EADDRINUSE;
  }
  CHECK(errno == EADDRINUSE);
}

TEST_CASE("a broken invariant stops the process and says where") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    // The test program's own handler would report a crash of the test.
    std::signal(SIGABRT, SIG_DFL);
    const int apples = 3;
    AQUIFER_ASSERT(apples == 4);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string said;
  std::array<char, 256> piece{};
  for (ssize_t got = 0; (got = ::read(ends[0], piece.data(), piece.size())) > 0;) {
    said.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK(said.find("apples == 4") != std::string::npos);
  CHECK(said.find("fd_test.cc") != std::string::npos);
}

}  // namespace
}  // namespace aquifer
