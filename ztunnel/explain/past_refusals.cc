#include "ztunnel/explain/past_refusals.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace aquifer::ztunnel {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  if (!object.is_object()) return {};
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

// "shop/web", or the address of what has no name.
std::string end_of(const json& event, const char* side) {
  if (!event.contains(side)) return {};
  const json& end = event[side];
  const std::string workload = text_of(end, "workload");
  if (workload.empty()) return text_of(end, "address");
  return fmt::format("{}/{}", text_of(end, "namespace"), workload);
}

PastRefusal refusal_of(const json& event) {
  PastRefusal refusal;
  refusal.time = text_of(event, "time");
  refusal.direction = text_of(event, "direction");
  refusal.from = end_of(event, "source");
  if (event.contains("source")) refusal.identity = text_of(event["source"], "identity");
  refusal.to = end_of(event, "destination");
  const std::string wanted = text_of(event, "wanted");
  if (!wanted.empty()) refusal.to += fmt::format("{}{}", refusal.to.empty() ? "" : " ", wanted);
  refusal.reason = text_of(event, "reason");
  refusal.policy = text_of(event, "policy");
  refusal.detail = text_of(event, "detail");
  return refusal;
}

}  // namespace

std::expected<std::vector<PastRefusal>, std::string> parse_refusals(std::string_view body) {
  // Without exceptions: what cannot be read becomes a discarded value.
  const json answer = json::parse(body, nullptr, false);
  if (!answer.is_object() || !answer.contains("refusals") || !answer["refusals"].is_array())
    return std::unexpected("the admin port's answer is no list of refusals: is it a ztunnel?");
  std::vector<PastRefusal> refusals;
  for (const json& event : answer["refusals"]) {
    if (event.is_object()) refusals.push_back(refusal_of(event));
  }
  // RFC 3339 in UTC sorts as text.
  std::ranges::sort(refusals, std::ranges::greater(), &PastRefusal::time);
  if (refusals.size() > kRefusalsShownMax) refusals.resize(kRefusalsShownMax);
  return refusals;
}

}  // namespace aquifer::ztunnel
