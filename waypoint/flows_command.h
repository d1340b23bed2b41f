// `waypoint flows`: shows a person what the requests of this waypoint are doing. Asks a running
// waypoint's admin port.
#pragma once

#include <string>
#include <string_view>

namespace aquifer::waypoint {

struct FlowsOptions {
  std::string admin_url = "http://localhost:15000";
  std::string service;  ///< host name, or empty for all
  std::string event;    ///< answered, failed, refused, or empty
  bool follow = false;
  bool json = false;
};

/// Prints to standard output; what is wrong is one line on standard error. The exit code.
[[nodiscard]] int flows_command(const FlowsOptions& options);

/// One request (a line of `/flows?follow=1`, or one of the list) as a row for people; without its
/// end of line. What cannot be read is shown as it is, made harmless.
[[nodiscard]] std::string flow_row(std::string_view event_json);
[[nodiscard]] std::string flow_header();

}  // namespace aquifer::waypoint
