// `ztunnel flows`: shows a person what the connections of this node are doing. Asks a running
// ztunnel's admin port.
#pragma once

#include <string>
#include <string_view>

namespace aquifer::ztunnel {

struct FlowsOptions {
  std::string admin_url;
  std::string pod;      ///< NAMESPACE/NAME, or empty for all
  std::string verdict;  ///< denied, allowed, or empty for both
  bool follow = false;
  bool json = false;
};

/// Prints to standard output; what is wrong is one line on standard error. The exit code.
[[nodiscard]] int flows_command(const FlowsOptions& options);

enum class Colours : bool { off, on };

/// One event (a line of `/flows?follow=1`, or one of the list) as a row for people; without its end
/// of line. What cannot be read is shown as it is, made harmless.
[[nodiscard]] std::string flow_row(std::string_view event_json, Colours colours);
[[nodiscard]] std::string flow_header();

}  // namespace aquifer::ztunnel
