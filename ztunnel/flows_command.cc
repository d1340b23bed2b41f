#include "ztunnel/flows_command.h"

#include "common/admin/event_text.h"
#include "ztunnel/admin_client.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace aquifer::ztunnel {
namespace {

using admin::age_text;
using admin::bytes_text;
using admin::clock_text;
using admin::harmless;
using admin::number_of;
using admin::text_of;
using nlohmann::json;

constexpr int kFailure = 1;

// One column for each question: when, what, whose, with whom, as whom, how much, how long.
constexpr std::string_view kRow =
    "{:<12}  {:<8}  {:<28}  {:<3}  {:<34}  {:<28}  {:>9}  {:>9}  {:>8}  {}";

/// Who it is, in the shortest words that are right: the pod, else the address.
std::string name_of_end(const json& event, const char* which) {
  const auto end = event.find(which);
  if (end == event.end() || !end->is_object()) return "?";
  const std::string workload = text_of(*end, "workload");
  if (workload.empty()) return text_of(*end, "address");
  return text_of(*end, "namespace") + "/" + workload;
}

std::string identity_of(const json& event, const char* which) {
  const auto end = event.find(which);
  if (end == event.end() || !end->is_object()) return "";
  return admin::identity_text(text_of(*end, "identity"));
}

std::string notes_of(const json& event) {
  std::string notes;
  const auto add = [&notes](const std::string& what) {
    if (what.empty()) return;
    if (!notes.empty()) notes += "; ";
    notes += what;
  };
  add(text_of(event, "reason"));
  const std::string policy = text_of(event, "policy");
  if (!policy.empty()) add("policy " + policy);
  add(text_of(event, "detail"));
  return notes;
}

std::string query_of(const FlowsOptions& options) {
  std::string query = "/flows";
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    query += fmt::format("{}{}={}", separator, name, value);
    separator = '&';
  };
  if (options.follow) add("follow", "1");
  if (!options.pod.empty()) add("pod", options.pod);
  if (!options.verdict.empty()) add("verdict", options.verdict);
  return query;
}

int complain(std::string_view text) {
  fmt::print(stderr, "ztunnel: {}\n", text);
  return kFailure;
}

int follow(const FlowsOptions& options, Colours colours) {
  if (!options.json) fmt::print("{}\n", flow_header());
  const auto print = [&](std::string_view line) {
    if (line.empty()) return true;  // a heartbeat
    fmt::print("{}\n", options.json ? harmless(line) : flow_row(line, colours));
    // The reader of a pipe wants each as it comes; when it has gone we go too.
    return std::fflush(stdout) == 0;
  };
  const auto followed = admin_follow(options.admin_url, query_of(options), print);
  return followed ? 0 : complain(followed.error());
}

int list(const FlowsOptions& options, Colours colours) {
  const auto reply = admin_get(options.admin_url, query_of(options));
  if (!reply) return complain(reply.error());
  if (reply->status != 200) {
    return complain(fmt::format("{}: status {}: {}", options.admin_url, reply->status,
                                harmless(reply->body.substr(0, reply->body.find('\n')))));
  }
  if (options.json) {
    fmt::print("{}", reply->body);
    return 0;
  }
  const json answer = json::parse(reply->body, nullptr, false);
  if (!answer.is_object()) return complain("the answer is no list of flows");
  const auto flows = answer.contains("flows") ? answer["flows"] : json::array();
  fmt::print("{}\n", flow_header());
  for (const json& flow : flows) fmt::print("{}\n", flow_row(flow.dump(), colours));
  const std::uint64_t left_out = number_of(answer, "leftOut");
  if (left_out > 0) fmt::print("and {} more: ask for one pod with --pod\n", left_out);
  if (flows.empty()) fmt::print("(none)\n");
  return 0;
}

}  // namespace

std::string flow_header() {
  return fmt::format(fmt::runtime(kRow), "TIME", "EVENT", "POD", "DIR", "PEER", "SERVICE", "SENT",
                     "RECEIVED", "AGE", "IDENTITIES, AND WHY");
}

std::string flow_row(std::string_view event_json, Colours colours) {
  const json event = json::parse(event_json, nullptr, false);
  if (!event.is_object()) return harmless(event_json);
  std::string kind = text_of(event, "event");
  if (kind == "lost") {
    return fmt::format("... {} events were lost: the reader was too slow{}",
                       number_of(event, "lost"),
                       event.value("ends", json(false)) == json(true) ? ", and is cut off" : "");
  }
  const bool outbound = text_of(event, "direction") == "outbound";
  const bool denied = text_of(event, "verdict") == "denied";
  const char* peer = outbound ? "destination" : "source";
  std::string identities =
      fmt::format("{} -> {}", identity_of(event, "source"), identity_of(event, "destination"));
  if (text_of(event, "transport") == "same-node") identities += " (same-node)";
  const std::string notes = notes_of(event);
  if (!notes.empty()) identities += "; " + notes;
  std::string service = text_of(event, "service");
  if (service.empty()) service = text_of(event, "backend");
  const std::string row = fmt::format(
      fmt::runtime(kRow), clock_text(text_of(event, "time")), kind, text_of(event, "pod"),
      outbound ? "out" : "in", name_of_end(event, peer), service,
      bytes_text(number_of(event, "bytesSent")), bytes_text(number_of(event, "bytesReceived")),
      age_text(number_of(event, "ageMs")), identities);
  if (colours == Colours::off) return row;
  const char* colour = denied ? "31" : kind == "failed" ? "33" : kind == "ended" ? "2" : "32";
  return fmt::format("\033[{}m{}\033[0m", colour, row);
}

int flows_command(const FlowsOptions& options) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  const Colours colours = terminal ? Colours::on : Colours::off;
  return options.follow ? follow(options, colours) : list(options, colours);
}

}  // namespace aquifer::ztunnel
