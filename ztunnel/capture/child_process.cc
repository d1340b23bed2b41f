#include "ztunnel/capture/child_process.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace aquifer::ztunnel {

namespace {

constexpr std::size_t kReasonBytesMax = 300;
// After SIGKILL only a program stuck in the kernel lives on.
constexpr int kKillGraceMs = 1000;
constexpr int kFirstFreeFd = 3;

std::unexpected<CaptureError> system_failure(int sys_errno, const char* doing,
                                             const std::string& program) {
  return capture_fail(CaptureFailure::refused,
                      fmt::format("{}: {}", program, error_from_errno(sys_errno, doing).message()));
}

// A process started without standard streams may get their numbers for its own descriptors; in the
// child, those would be overwritten while they are still needed.
Fd above_standard_streams(Fd fd) {
  if (!fd || fd.get() >= kFirstFreeFd) return fd;
  return Fd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kFirstFreeFd));
}

struct Streams {
  Fd ours;
  Fd childs;
};

// A socket in place of a pipe for input: writing to a program that is gone is an error, not a
// signal.
bool open_streams(Streams& input, Streams& output, Streams& errors) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) return false;
  input = {above_standard_streams(Fd(pair[0])), above_standard_streams(Fd(pair[1]))};
  // The flag belongs to each end alone: the program reads as from any file.
  if (::fcntl(input.childs.get(), F_SETFL, 0) != 0) return false;
  for (Streams* streams : {&output, &errors}) {
    if (::pipe2(pair, O_CLOEXEC) != 0) return false;
    *streams = {above_standard_streams(Fd(pair[0])), above_standard_streams(Fd(pair[1]))};
    if (::fcntl(streams->ours.get(), F_SETFL, O_NONBLOCK) != 0) return false;
  }
  return input.ours && input.childs && output.ours && output.childs && errors.ours && errors.childs;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> result;
  // posix_spawn takes char* for C's sake and writes nothing.
  for (const std::string& word : words) result.push_back(const_cast<char*>(word.c_str()));
  result.push_back(nullptr);
  return result;
}

// The spawn attributes and file actions of one start.
class SpawnPlan {
 public:
  SpawnPlan(int input, int output, int errors) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
    // Ours are all close-on-exec; a library's may not be.
    posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstFreeFd);
    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    // A group of its own: killed with everything it started, and a terminal's Ctrl-C does not cut
    // it in half.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  // An errno, 0 for success.
  int start(const ChildCommand& command, pid_t& pid) const {
    const auto arguments = pointers(command.arguments);
    const auto environment = pointers(command.environment);
    return ::posix_spawn(&pid, arguments[0], &actions_, &attributes_, arguments.data(),
                         environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Not by glibc's pidfd_open: the header of 2.36 declares it without extern "C".
int open_handle(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// A started program: killed and reaped at the latest in the destructor.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), handle_(open_handle(pid)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (reaped_) return;
    ::kill(-pid_, SIGKILL);
    pollfd ended{handle_.get(), POLLIN, 0};
    // Without a handle (no pidfd, descriptors used up) the wait is not bounded, but the kill has
    // been sent.
    const bool has_ended = !handle_ || ::poll(&ended, 1, kKillGraceMs) > 0;
    ::waitpid(pid_, nullptr, has_ended ? 0 : WNOHANG);
  }

  [[nodiscard]] int handle() const { return handle_.get(); }
  // Call once the handle is readable. The wait status, or nothing when the process does not keep
  // its children.
  int reap() {
    reaped_ = true;
    int status = -1;
    while (::waitpid(pid_, &status, 0) < 0) {
      if (errno != EINTR) return -1;
    }
    return status;
  }

 private:
  pid_t pid_;
  Fd handle_;
  bool reaped_ = false;
};

// Reads what is there. False when the limit is passed.
bool drain(Fd& from, std::string& into) {
  std::array<char, 16384> chunk;
  while (from) {
    const ssize_t count = ::read(from.get(), chunk.data(), chunk.size());
    if (count > 0) {
      into.append(chunk.data(), static_cast<std::size_t>(count));
      if (into.size() > kChildOutputBytesMax) return false;
    } else if (count == 0) {
      from.close();
    } else {
      return true;  // EAGAIN: nothing more for now
    }
  }
  return true;
}

void feed(Fd& to, std::string_view& input) {
  while (to && !input.empty()) {
    const ssize_t count = ::send(to.get(), input.data(), input.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0) {
      if (errno == EAGAIN) return;
      break;  // it ended without reading all; its exit code will say
    }
    input.remove_prefix(static_cast<std::size_t>(count));
  }
  to.close();  // end of input
}

// Serves the streams until the program has ended; false at the deadline or for too much output.
enum class Served : std::uint8_t { ended, late, too_much };

Served serve(const Child& child, Fd input, Fd output, Fd errors, std::string_view text,
             MonoTime deadline, ChildOutcome& outcome) {
  while (true) {
    feed(input, text);
    // poll(2) passes over negative descriptors: closed streams drop out by themselves.
    std::array<pollfd, 4> events{{{child.handle(), POLLIN, 0},
                                  {input.get(), POLLOUT, 0},
                                  {output.get(), POLLIN, 0},
                                  {errors.get(), POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return Served::late;
    if (::poll(events.data(), events.size(), static_cast<int>(left)) < 0 && errno != EINTR)
      return Served::late;
    const bool ended = (events[0].revents & POLLIN) != 0;
    // After the end, too: what it wrote last is still in the pipes.
    if (!drain(output, outcome.output) || !drain(errors, outcome.errors)) return Served::too_much;
    if (ended) return Served::ended;
  }
}

}  // namespace

CaptureResult<ChildOutcome> run_in_namespace(const io::NetworkNamespace& where,
                                             const ChildCommand& command, Duration timeout) {
  const std::string& program = command.arguments.front();
  const MonoTime deadline = Clock::now() + timeout;
  Streams input;
  Streams output;
  Streams errors;
  if (!open_streams(input, output, errors))
    return system_failure(errno, "opening its streams", program);

  pid_t pid = -1;
  {
    auto inside = io::NamespaceGuard::enter(where);
    if (!inside) return capture_fail(CaptureFailure::name_space, inside.error().message());
    const SpawnPlan plan(input.childs.get(), output.childs.get(), errors.childs.get());
    if (const int failed = plan.start(command, pid); failed != 0)
      return system_failure(failed, "starting it", program);
  }
  Child child(pid);
  for (Streams* streams : {&input, &output, &errors}) streams->childs.close();
  if (child.handle() < 0) return system_failure(errno, "opening its process handle", program);

  ChildOutcome outcome;
  switch (serve(child, std::move(input.ours), std::move(output.ours), std::move(errors.ours),
                command.input, deadline, outcome)) {
    case Served::late:
      return capture_fail(CaptureFailure::timed_out,
                          fmt::format("{}: did not end within {:.0f} s and was killed", program,
                                      std::chrono::duration<double>(timeout).count()));
    case Served::too_much:
      return capture_fail(CaptureFailure::refused, fmt::format("{}: wrote more than {} bytes",
                                                               program, kChildOutputBytesMax));
    case Served::ended: break;
  }
  const int status = child.reap();
  if (!WIFEXITED(status)) {
    return capture_fail(CaptureFailure::refused,
                        fmt::format("{}: killed by signal {}", program, WTERMSIG(status)));
  }
  outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

std::string one_line(std::string_view text) {
  std::string line;
  bool gap = false;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      gap = !line.empty();
      continue;
    }
    if (gap) line += ' ';
    gap = false;
    line += c;
    if (line.size() >= kReasonBytesMax) return line + "...";
  }
  return line;
}

}  // namespace aquifer::ztunnel
