// Runs one short-lived program inside a network namespace and waits for it, bounded in time and in
// output. Blocking: for the control thread, never a loop. Works however many threads the process
// has: the program is started by posix_spawn (no copy of the address space, nothing but exec in the
// child) and inherits the namespace that the calling thread is in for that moment.
#pragma once

#include "common/base/time.h"
#include "common/io/netns.h"
#include "ztunnel/capture/capture_error.h"

#include <cstddef>
#include <string>
#include <vector>

namespace aquifer::ztunnel {

struct ChildCommand {
  /// The program's path first: no search.
  std::vector<std::string> arguments;
  /// NAME=VALUE, the whole environment.
  std::vector<std::string> environment;
  std::string input;
};

struct ChildOutcome {
  int exit_code = 0;
  std::string output;
  std::string errors;
};

/// iptables takes milliseconds; this long means that the kernel or a lock holds it.
inline constexpr Duration kChildTimeout = std::chrono::seconds(10);
/// A pod's rules are some KiB; more than this is somebody else's mistake and must not fill our
/// memory.
inline constexpr std::size_t kChildOutputBytesMax = 4u << 20;

/// Runs it to its end. An exit code other than 0 is an outcome, not a failure; being killed by a
/// signal, by `timeout` or for too much output is a failure. The program sees only its three
/// standard streams, no other descriptor of ours.
[[nodiscard]] CaptureResult<ChildOutcome> run_in_namespace(const io::NetworkNamespace& where,
                                                           const ChildCommand& command,
                                                           Duration timeout = kChildTimeout);

/// For error reasons: what a program wrote, its lines joined, without control characters, at most
/// 300 bytes.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace aquifer::ztunnel
