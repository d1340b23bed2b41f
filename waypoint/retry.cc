#include "waypoint/retry.h"

#include "common/http/message.h"

#include <algorithm>

namespace aquifer::waypoint {
namespace {

using l7::RetryOn;

bool wants_grpc(const l7::RetryPolicy& policy, int grpc_status) noexcept {
  switch (grpc_status) {
    case 1: return policy.has(RetryOn::grpc_cancelled);
    case 4: return policy.has(RetryOn::grpc_deadline_exceeded);
    case 8: return policy.has(RetryOn::grpc_resource_exhausted);
    case 13: return policy.has(RetryOn::grpc_internal);
    case 14: return policy.has(RetryOn::grpc_unavailable);
    default: return false;
  }
}

bool wants_answer(const l7::RetryPolicy& policy, const TryEnd& end) noexcept {
  const int status = end.status;
  if (status >= 500 && policy.has(RetryOn::server_error)) return true;
  if ((status == 502 || status == 503 || status == 504) && policy.has(RetryOn::gateway_error))
    return true;
  if (status == 409 && policy.has(RetryOn::retriable_4xx)) return true;
  if (policy.has(RetryOn::retriable_status_codes) &&
      std::ranges::find(policy.statuses, status) != policy.statuses.end()) {
    return true;
  }
  return end.grpc_status && wants_grpc(policy, *end.grpc_status);
}

}  // namespace

bool wants_retry(const l7::RetryPolicy& policy, std::string_view method,
                 const TryEnd& end) noexcept {
  // What was never looked at harms nobody a second time.
  const bool safe = policy.configured || http::is_idempotent(method);
  switch (end.kind) {
    case TryEnd::Kind::connect_failed:
      return policy.has(RetryOn::connect_failure) || policy.has(RetryOn::gateway_error) ||
             policy.has(RetryOn::server_error) || policy.has(RetryOn::reset) ||
             policy.has(RetryOn::reset_before_request);
    case TryEnd::Kind::refused:
      return policy.has(RetryOn::refused_stream) || policy.has(RetryOn::server_error) ||
             policy.has(RetryOn::reset) || policy.has(RetryOn::reset_before_request);
    case TryEnd::Kind::reset:
    case TryEnd::Kind::timed_out:
      return safe && (policy.has(RetryOn::reset) || policy.has(RetryOn::server_error) ||
                      policy.has(RetryOn::gateway_error));
    case TryEnd::Kind::answered: return safe && wants_answer(policy, end);
    case TryEnd::Kind::overflow: return false;
  }
  return false;
}

Duration retry_pause(const l7::RetryPolicy& policy, std::uint32_t number,
                     std::uint64_t random) noexcept {
  const auto base = std::chrono::duration_cast<std::chrono::nanoseconds>(policy.backoff_base);
  const auto most = std::chrono::duration_cast<std::chrono::nanoseconds>(policy.backoff_max);
  // 2^10 bases are beyond every maximum that is meant.
  const std::int64_t factor = (std::int64_t{1} << std::min<std::uint32_t>(number, 10)) - 1;
  const std::int64_t limit = std::min(base.count() * factor, most.count());
  if (limit <= 0) return {};
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(random % static_cast<std::uint64_t>(limit)));
}

}  // namespace aquifer::waypoint
