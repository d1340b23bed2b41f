// The command `ztunnel explain`: reads the mesh, asks, prints.
#pragma once

#include "ztunnel/settings.h"

#include <string>
#include <vector>

namespace aquifer::ztunnel {

/// The command line as it was typed.
struct ExplainArguments {
  std::string from;
  std::string to;
  std::string method;
  std::string path;
  std::vector<std::string> headers;
  std::string server_name;
  /// URL of a running ztunnel's admin port, to be asked for its last refusals; empty: not asked.
  std::string admin;
  std::string node;
  bool plaintext = false;
  bool json = false;
  /// Exit code 3 when the connection is denied or fails.
  bool verdict_exit = false;
};

/// Exit codes: 0 explained, whatever the verdict; 1 no answer (the mesh cannot be read, no such
/// pod, the admin port does not answer); 2 a question that cannot be read; 3 see verdict_exit.
[[nodiscard]] int explain_command(const Settings& settings, const ExplainArguments& arguments);

}  // namespace aquifer::ztunnel
