#include "ztunnel/explain/route_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace aquifer::ztunnel {
namespace {

using l7::RetryOn;

constexpr std::array kConditions{
    std::pair{RetryOn::connect_failure, std::string_view("connect-failure")},
    std::pair{RetryOn::refused_stream, std::string_view("refused-stream")},
    std::pair{RetryOn::reset, std::string_view("reset")},
    std::pair{RetryOn::reset_before_request, std::string_view("reset-before-request")},
    std::pair{RetryOn::gateway_error, std::string_view("gateway-error")},
    std::pair{RetryOn::server_error, std::string_view("5xx")},
    std::pair{RetryOn::retriable_4xx, std::string_view("retriable-4xx")},
    std::pair{RetryOn::grpc_cancelled, std::string_view("cancelled")},
    std::pair{RetryOn::grpc_deadline_exceeded, std::string_view("deadline-exceeded")},
    std::pair{RetryOn::grpc_internal, std::string_view("internal")},
    std::pair{RetryOn::grpc_resource_exhausted, std::string_view("resource-exhausted")},
    std::pair{RetryOn::grpc_unavailable, std::string_view("unavailable")},
};

std::string time_text(Duration duration) {
  const auto ms = std::chrono::duration<double, std::milli>(duration).count();
  return ms < 1000 ? fmt::format("{:g} ms", ms) : fmt::format("{:g} s", ms / 1000);
}

std::string share_text(std::uint32_t millionths) {
  return fmt::format("{:g}%", millionths / (l7::kWhole / 100.0));
}

std::string retry_text(const l7::RetryPolicy& policy) {
  std::vector<std::string> when;
  for (const auto& [condition, word] : kConditions) {
    if (policy.has(condition)) when.emplace_back(word);
  }
  if (policy.has(RetryOn::retriable_status_codes)) {
    for (const int status : policy.statuses) when.push_back(std::to_string(status));
  }
  std::string text = fmt::format("up to {} retries on {}", policy.attempts, fmt::join(when, ", "));
  if (policy.per_try_timeout > Duration::zero())
    text += fmt::format(", each try at most {}", time_text(policy.per_try_timeout));
  return text;
}

void add_fault(const l7::Fault& fault, std::vector<std::string>& words) {
  if (fault.delay_millionths > 0) {
    words.push_back(fmt::format("fault: {} of requests wait {}", share_text(fault.delay_millionths),
                                time_text(fault.delay)));
  }
  if (fault.abort_millionths == 0) return;
  const std::string answer = fault.abort_grpc_status
                                 ? fmt::format("gRPC status {}", *fault.abort_grpc_status)
                                 : std::to_string(fault.abort_status);
  words.push_back(fmt::format("fault: {} of requests are answered {}",
                              share_text(fault.abort_millionths), answer));
}

void add_changes(std::string_view of, const l7::HeaderChanges& changes,
                 std::vector<std::string>& words) {
  for (const l7::HeaderChange& change : changes) {
    switch (change.how) {
      case l7::HeaderChange::How::remove:
        words.push_back(fmt::format("{} header {} is removed", of, change.name));
        break;
      case l7::HeaderChange::How::set:
        words.push_back(
            fmt::format("{} header {} is set to \"{}\"", of, change.name, change.value));
        break;
      case l7::HeaderChange::How::add:
        words.push_back(
            fmt::format("{} header {}: \"{}\" is added", of, change.name, change.value));
        break;
    }
  }
}

}  // namespace

std::vector<std::string> words_of(const l7::Route& route) {
  std::vector<std::string> words;
  if (route.fault) add_fault(*route.fault, words);
  if (route.timeouts.request > Duration::zero())
    words.push_back("the whole request may take " + time_text(route.timeouts.request));
  if (route.timeouts.backend > Duration::zero())
    words.push_back("one try may take " + time_text(route.timeouts.backend));
  // Who writes nothing gets the usual retries, which are nothing of this route.
  if (std::holds_alternative<l7::Forward>(route.action) && route.retry)
    words.push_back(retry_text(*route.retry));
  for (const l7::Mirror& mirror : route.mirrors) {
    words.push_back(fmt::format("{} of requests are copied to {}", share_text(mirror.millionths),
                                mirror.cluster));
  }
  add_changes("request", route.request_headers, words);
  add_changes("response", route.response_headers, words);
  if (route.cors) words.emplace_back("CORS is answered by the waypoint");
  if (route.persistence) {
    words.push_back(fmt::format(
        "a client keeps its endpoint by {} {}",
        route.persistence->type == l7::Persistence::Type::cookie ? "the cookie" : "the header",
        route.persistence->name));
  }
  return words;
}

}  // namespace aquifer::ztunnel
