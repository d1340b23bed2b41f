// Where io_uring is forbidden, as in many containers: a child process with a filter that refuses
// it.
#include "common/io/loop.h"

#include <doctest/doctest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace aquifer::io {
namespace {

bool forbid_io_uring() {
  std::array<sock_filter, 4> code{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{code.size(), code.data()};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

coro::Task<void> sleep_a_little(Loop& loop) {
  const Status slept = co_await sleep_until(loop, loop.after(std::chrono::milliseconds(1)));
  if (!slept) ::_exit(20);
}

// The child's exit code says which expectation failed.
int try_forbidden() {
  if (!forbid_io_uring()) return 10;
  if (Loop::create(BackendChoice::uring).has_value()) return 11;
  auto loop = Loop::create(BackendChoice::automatic);
  if (!loop) return 12;
  if ((*loop)->backend_kind() != BackendKind::epoll) return 13;
  const auto& reason = (*loop)->fallback_reason();
  if (!reason || reason->detail != EPERM) return 14;
  (*loop)->run(sleep_a_little(**loop));
  return 0;
}

TEST_CASE(
    "where io_uring is forbidden, the automatic choice is epoll, and the forced one an error") {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(try_forbidden());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace aquifer::io
