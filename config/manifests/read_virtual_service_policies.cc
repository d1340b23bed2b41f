// Retries, faults and CORS of a VirtualService's rule.
#include "config/manifests/read_virtual_service.h"
#include "config/manifests/route_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace aquifer::manifests {
namespace {

using l7::RetryOn;

// Beyond this a retry policy is an attack on its own backend.
constexpr std::uint32_t kAttemptsMax = 100;

constexpr std::array kConditions{
    std::pair{std::string_view("connect-failure"), RetryOn::connect_failure},
    std::pair{std::string_view("refused-stream"), RetryOn::refused_stream},
    std::pair{std::string_view("reset"), RetryOn::reset},
    std::pair{std::string_view("reset-before-request"), RetryOn::reset_before_request},
    std::pair{std::string_view("gateway-error"), RetryOn::gateway_error},
    std::pair{std::string_view("5xx"), RetryOn::server_error},
    std::pair{std::string_view("retriable-4xx"), RetryOn::retriable_4xx},
    std::pair{std::string_view("retriable-status-codes"), RetryOn::retriable_status_codes},
    std::pair{std::string_view("cancelled"), RetryOn::grpc_cancelled},
    std::pair{std::string_view("deadline-exceeded"), RetryOn::grpc_deadline_exceeded},
    std::pair{std::string_view("internal"), RetryOn::grpc_internal},
    std::pair{std::string_view("resource-exhausted"), RetryOn::grpc_resource_exhausted},
    std::pair{std::string_view("unavailable"), RetryOn::grpc_unavailable},
};

// In the order of their numbers.
constexpr std::array kGrpcStatuses{
    std::string_view("OK"),
    std::string_view("CANCELLED"),
    std::string_view("UNKNOWN"),
    std::string_view("INVALID_ARGUMENT"),
    std::string_view("DEADLINE_EXCEEDED"),
    std::string_view("NOT_FOUND"),
    std::string_view("ALREADY_EXISTS"),
    std::string_view("PERMISSION_DENIED"),
    std::string_view("RESOURCE_EXHAUSTED"),
    std::string_view("FAILED_PRECONDITION"),
    std::string_view("ABORTED"),
    std::string_view("OUT_OF_RANGE"),
    std::string_view("UNIMPLEMENTED"),
    std::string_view("INTERNAL"),
    std::string_view("UNAVAILABLE"),
    std::string_view("DATA_LOSS"),
    std::string_view("UNAUTHENTICATED"),
};

std::optional<int> parse_status(std::string_view text) {
  int status = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || status < 100 || status > 599) return std::nullopt;
  return status;
}

void read_retry_on(Fields& fields, l7::RetryPolicy& policy) {
  const auto text = fields.text("retryOn");
  if (!text || text->empty()) return;
  policy.on = 0;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view word = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const auto* known =
        std::ranges::find(kConditions, word, [](const auto& row) { return row.first; });
    if (known != kConditions.end()) {
      policy.on |= static_cast<std::uint32_t>(known->second);
    } else if (const auto status = parse_status(word); status && policy.statuses.size() < 600) {
      policy.on |= static_cast<std::uint32_t>(RetryOn::retriable_status_codes);
      policy.statuses.push_back(*status);
    } else if (!word.empty()) {
      fields.warn("retryOn", fmt::format("{} is not known and ignored: write conditions such as "
                                         "5xx, reset or 503",
                                         in_quotes(word)));
    }
  }
}

void read_retries(Fields& fields, l7::Route& route) {
  if (!fields.present()) return;
  l7::RetryPolicy policy = l7::default_retry_policy();
  policy.configured = true;
  policy.attempts = read_count(fields, "attempts", kAttemptsMax).value_or(policy.attempts);
  policy.per_try_timeout = read_duration(fields, "perTryTimeout").value_or(Duration::zero());
  read_retry_on(fields, policy);
  if (const auto backoff = read_duration(fields, "backoff");
      backoff && *backoff > Duration::zero()) {
    policy.backoff_base = *backoff;
    policy.backoff_max = *backoff * 10;
  }
  policy.same_endpoint = !fields.boolean("retryIgnorePreviousHosts").value_or(true);
  policy.other_localities = fields.boolean("retryRemoteLocalities").value_or(false);
  fields.finish();
  route.retry = std::move(policy);
}

// `percentage`, else the old `percent`; neither: nobody is meant.
std::uint32_t read_share(Fields& fields) {
  if (const auto share = read_percent_map(fields, "percentage")) return *share;
  return read_count(fields, "percent", 100).value_or(0) * (l7::kWhole / 100);
}

void read_grpc_status(Fields& fields, l7::Fault& fault) {
  const auto text = fields.text("grpcStatus");
  if (!text) return;
  const auto* known = std::ranges::find(kGrpcStatuses, *text);
  if (known != kGrpcStatuses.end()) {
    fault.abort_grpc_status = static_cast<std::uint32_t>(known - kGrpcStatuses.begin());
    return;
  }
  fields.error("grpcStatus",
               fmt::format("{} is none: write a name such as UNAVAILABLE", in_quotes(*text)));
}

void read_fault(Fields& fields, l7::Route& route) {
  if (!fields.present()) return;
  l7::Fault fault;
  Fields delay = fields.map("delay");
  if (delay.present()) {
    fault.delay_millionths = read_share(delay);
    fault.delay = read_duration(delay, "fixedDelay").value_or(Duration::zero());
    if (delay.has("exponentialDelay"))
      delay.error("exponentialDelay", "is not supported: write fixedDelay");
    delay.ignore({"exponentialDelay"});
  }
  delay.finish();
  Fields abort = fields.map("abort");
  if (abort.present()) {
    fault.abort_millionths = read_share(abort);
    read_grpc_status(abort, fault);
    const auto status = read_count(abort, "httpStatus", 599);
    if (status && *status < 200)
      abort.error("httpStatus", "is no final status: write one from 200 to 599");
    fault.abort_status = static_cast<int>(status.value_or(0));
    if (!status && !fault.abort_grpc_status)
      abort.error("httpStatus", "missing: write it, or grpcStatus");
    if (status && fault.abort_grpc_status)
      abort.error("httpStatus", "stands beside grpcStatus: write one of them");
  }
  abort.finish();
  fields.finish();
  route.fault = fault;
}

std::vector<std::string> read_names(Fields& fields, std::string_view name) {
  std::vector<std::string> names;
  for (TextItem& item : fields.texts(name)) names.push_back(std::move(item.text));
  if (!within(fields, name, names.size(), kItemsMax)) names.clear();
  return names;
}

void read_cors(Fields& fields, l7::Route& route) {
  if (!fields.present()) return;
  l7::Cors cors;
  for (std::string& origin : read_names(fields, "allowOrigin")) {
    cors.origins.push_back(origin == "*" ? l7::TextPattern()
                                         : l7::TextPattern::exact(std::move(origin)));
  }
  fields.each("allowOrigins", [&](Fields& item) {
    if (cors.origins.size() >= kItemsMax) return;
    l7::TextPattern pattern;
    if (const auto text = item.text("exact")) {
      // Envoy reads a lone star so.
      if (*text != "*") pattern = l7::TextPattern::exact(*text);
    } else if (const auto prefix = item.text("prefix")) {
      pattern = l7::TextPattern::prefix(*prefix);
    } else if (const auto expression = item.text("regex")) {
      auto regex = read_regex(item, "regex", *expression);
      if (!regex) return;
      pattern.kind = l7::TextPattern::Kind::regex;
      pattern.regex = std::move(*regex);
    } else {
      return item.error("", "must be one of exact, prefix and regex");
    }
    item.finish();
    cors.origins.push_back(std::move(pattern));
  });
  cors.methods = read_names(fields, "allowMethods");
  cors.headers = read_names(fields, "allowHeaders");
  cors.exposed = read_names(fields, "exposeHeaders");
  if (const auto age = read_duration(fields, "maxAge"))
    cors.max_age = std::chrono::floor<std::chrono::seconds>(*age);
  cors.credentials = fields.boolean("allowCredentials").value_or(false);
  const std::string unmatched = fields.text_or("unmatchedPreflights", "FORWARD");
  cors.forward_unmatched_preflights = unmatched != "IGNORE";
  if (unmatched != "FORWARD" && unmatched != "IGNORE" && unmatched != "UNSPECIFIED") {
    fields.error("unmatchedPreflights",
                 fmt::format("{} is none: write FORWARD or IGNORE", in_quotes(unmatched)));
  }
  fields.finish();
  route.cors = std::move(cors);
}

}  // namespace

void read_request_policies(Fields& rule_fields, l7::Route& route) {
  Fields retries = rule_fields.map("retries");
  read_retries(retries, route);
  Fields fault = rule_fields.map("fault");
  read_fault(fault, route);
  Fields cors = rule_fields.map("corsPolicy");
  read_cors(cors, route);
}

}  // namespace aquifer::manifests
