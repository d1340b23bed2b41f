#include "waypoint/flows_command.h"

#include "common/admin/client.h"
#include "common/admin/event_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <cstdio>

namespace aquifer::waypoint {
namespace {

using admin::text_of;
using nlohmann::json;

constexpr int kFailure = 1;

// One column for each question: when, what, what was asked of whom, how it stands, who serves it,
// by which route, how much, how long, as whom, why.
constexpr std::string_view kRow =
    "{:<12}  {:<10}  {:<40}  {:<8}  {:<28}  {:<24}  {:>9}  {:>9}  {:>8}  {}";

std::string name_of_end(const json& request, const char* which) {
  const auto end = request.find(which);
  if (end == request.end() || !end->is_object()) return "-";
  const std::string workload = text_of(*end, "workload");
  if (workload.empty()) return text_of(*end, "address");
  return text_of(*end, "namespace") + "/" + workload;
}

std::string identity_of(const json& request, const char* which) {
  const auto end = request.find(which);
  return admin::identity_text(end != request.end() && end->is_object() ? text_of(*end, "identity")
                                                                       : std::string());
}

std::string asked_text(const json& request) {
  const std::string authority = text_of(request, "authority");
  const std::string method = text_of(request, "method");
  if (method.empty()) return "tcp " + (authority.empty() ? text_of(request, "service") : authority);
  return fmt::format("{} {}{}", method, authority, text_of(request, "path"));
}

std::string result_text(const json& request) {
  const std::string flags = text_of(request, "flags");
  const std::uint64_t status = admin::number_of(request, "status");
  std::string text = status == 0 ? "-" : fmt::format("{}", status);
  if (!flags.empty() && flags != "-") text += " " + flags;
  return text;
}

std::string notes_of(const json& request) {
  std::string notes;
  const auto add = [&notes](const std::string& what) {
    if (what.empty()) return;
    notes += "; ";
    notes += what;
  };
  const std::uint64_t tries = admin::number_of(request, "tries");
  if (tries > 1) add(fmt::format("{} tries", tries));
  const std::string details = text_of(request, "details");
  if (details != "via_upstream") add(details);
  add(text_of(request, "upstreamFailure"));
  add(text_of(request, "reason"));
  return notes;
}

std::string query_of(const FlowsOptions& options) {
  std::string query = options.event == "refused" && !options.follow ? "/refusals" : "/flows";
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    query += fmt::format("{}{}={}", separator, name, value);
    separator = '&';
  };
  if (options.follow) add("follow", "1");
  if (!options.service.empty()) add("service", options.service);
  if (!options.event.empty()) add("event", options.event);
  return query;
}

int complain(std::string_view text) {
  fmt::print(stderr, "waypoint: {}\n", text);
  return kFailure;
}

int follow(const FlowsOptions& options) {
  if (!options.json) fmt::print("{}\n", flow_header());
  const auto print = [&](std::string_view line) {
    if (line.empty()) return true;  // a heartbeat
    fmt::print("{}\n", options.json ? admin::harmless(line) : flow_row(line));
    // The reader of a pipe wants each as it comes; when it has gone we go too.
    return std::fflush(stdout) == 0;
  };
  const admin::Asked asked{.program = "waypoint", .base_url = options.admin_url};
  const auto followed = admin::follow(asked, query_of(options), print);
  return followed ? 0 : complain(followed.error());
}

int list(const FlowsOptions& options) {
  const admin::Asked asked{.program = "waypoint", .base_url = options.admin_url};
  const auto reply = admin::get(asked, query_of(options));
  if (!reply) return complain(reply.error());
  if (reply->status != 200) {
    return complain(fmt::format("{}: status {}: {}", options.admin_url, reply->status,
                                admin::harmless(reply->body.substr(0, reply->body.find('\n')))));
  }
  if (options.json) {
    fmt::print("{}", reply->body);
    return 0;
  }
  const json answer = json::parse(reply->body, nullptr, false);
  if (!answer.is_object()) return complain("the answer is no list of requests");
  const char* name = answer.contains("refusals") ? "refusals" : "flows";
  const auto requests = answer.contains(name) ? answer[name] : json::array();
  fmt::print("{}\n", flow_header());
  for (const json& request : requests) fmt::print("{}\n", flow_row(request.dump()));
  const std::uint64_t left_out = admin::number_of(answer, "leftOut");
  if (left_out > 0) fmt::print("and {} more: ask for one service with --service\n", left_out);
  if (requests.empty()) fmt::print("(none)\n");
  return 0;
}

}  // namespace

std::string flow_header() {
  return fmt::format(fmt::runtime(kRow), "TIME", "STATE", "REQUEST", "RESULT", "ENDPOINT", "ROUTE",
                     "RECEIVED", "SENT", "AGE", "CLIENT, AND WHY");
}

std::string flow_row(std::string_view event_json) {
  const json request = json::parse(event_json, nullptr, false);
  if (!request.is_object()) return admin::harmless(event_json);
  std::string state = text_of(request, "event");
  if (state == "lost") {
    return fmt::format("... {} events were lost: the reader was too slow{}",
                       admin::number_of(request, "lost"),
                       request.value("ends", json(false)) == json(true) ? ", and is cut off" : "");
  }
  if (state == "live") state = text_of(request, "phase");
  std::string route = text_of(request, "route");
  if (route.empty()) route = "-";
  return fmt::format(fmt::runtime(kRow), admin::clock_text(text_of(request, "time")), state,
                     asked_text(request), result_text(request), name_of_end(request, "destination"),
                     route, admin::bytes_text(admin::number_of(request, "bytesReceived")),
                     admin::bytes_text(admin::number_of(request, "bytesSent")),
                     admin::age_text(admin::number_of(request, "ageMs")),
                     identity_of(request, "source") + notes_of(request));
}

int flows_command(const FlowsOptions& options) {
  return options.follow ? follow(options) : list(options);
}

}  // namespace aquifer::waypoint
