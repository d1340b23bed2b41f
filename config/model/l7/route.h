// What becomes of a request: one route of a chain, with everything that is done on its way. Plain
// values, immutable once they are in a book. This is the form that manifests (HTTPRoute, GRPCRoute,
// VirtualService) and istiod's route tables are both written in; nothing of Kubernetes is left.
#pragma once

#include "common/base/time.h"
#include "config/model/l7/text_pattern.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace aquifer::l7 {

/// Shares are counted in millionths, as istiod's fractions are.
inline constexpr std::uint32_t kWhole = 1'000'000;

struct PathMatch {
  enum class Kind : std::uint8_t {
    any,
    exact,
    prefix,          ///< of the text: "/a" matches "/ab"
    segment_prefix,  ///< of path segments: "/a" matches "/a" and "/a/b"; no slash at its end
    regex,
  };
  Kind kind = Kind::any;
  bool ignore_case = false;
  std::string text;
  Regex regex;
  friend bool operator==(const PathMatch&, const PathMatch&) = default;
};

struct HeaderMatch {
  /// Lower case; also `:method`, `:authority`, `:scheme`, `:path`.
  std::string name;
  TextPattern value;  ///< `any`: the field is there
  /// The field is missing, or its value is another.
  bool invert = false;
  friend bool operator==(const HeaderMatch&, const HeaderMatch&) = default;
};

struct QueryMatch {
  std::string name;
  TextPattern value;
  friend bool operator==(const QueryMatch&, const QueryMatch&) = default;
};

/// All of it must be true.
struct RouteMatch {
  PathMatch path;
  std::string method;  ///< empty: any
  std::vector<HeaderMatch> headers;
  std::vector<QueryMatch> query;
  /// Namespaces the client's identity may be of; empty: any (VirtualService sourceNamespace).
  std::string source_namespace;
  friend bool operator==(const RouteMatch&, const RouteMatch&) = default;
};

/// In the order in which they are done.
struct HeaderChange {
  enum class How : std::uint8_t { set, add, remove };
  How how = How::set;
  std::string name;
  std::string value;
  friend bool operator==(const HeaderChange&, const HeaderChange&) = default;
};
using HeaderChanges = std::vector<HeaderChange>;

/// A share of a route's requests. An empty cluster is a backend that does not exist or may not be
/// used: its share is answered 500 (Gateway API, HTTPBackendRef).
struct WeightedCluster {
  std::string cluster;  ///< Cluster::key
  std::uint32_t weight = 1;
  HeaderChanges request_headers;
  HeaderChanges response_headers;
  friend bool operator==(const WeightedCluster&, const WeightedCluster&) = default;
};

struct PathRewrite {
  enum class Kind : std::uint8_t {
    none,
    full,    ///< the whole path; the query stays
    prefix,  ///< what the route's own path match matched
    regex,
  };
  Kind kind = Kind::none;
  std::string text;  ///< the new path, the new prefix, or what a match becomes
  Regex regex;
  friend bool operator==(const PathRewrite&, const PathRewrite&) = default;
};

struct Forward {
  /// At least one; of weights that are all 0 the answer is 500.
  std::vector<WeightedCluster> clusters;
  PathRewrite path;
  std::string authority;  ///< the new one; empty: as it came
  friend bool operator==(const Forward&, const Forward&) = default;
};

struct Redirect {
  int status = 302;
  std::string scheme;      ///< empty: the request's
  std::string authority;   ///< host without port; empty: the request's
  std::uint16_t port = 0;  ///< 0: the well-known one of a scheme that was set, else the request's
  PathRewrite path;
  friend bool operator==(const Redirect&, const Redirect&) = default;
};

struct DirectResponse {
  int status = 500;
  std::string body;
  friend bool operator==(const DirectResponse&, const DirectResponse&) = default;
};

using Action = std::variant<Forward, Redirect, DirectResponse>;

/// Conditions of Envoy's x-envoy-retry-on and x-envoy-retry-grpc-on, one bit each.
enum class RetryOn : std::uint32_t {
  connect_failure = 1 << 0,
  refused_stream = 1 << 1,
  reset = 1 << 2,                 ///< before any byte of an answer, or a time-out of the try
  reset_before_request = 1 << 3,  ///< the same, and nothing of the request had been sent
  gateway_error = 1 << 4,         ///< 502, 503, 504
  server_error = 1 << 5,          ///< any 5xx, reset included
  retriable_4xx = 1 << 6,         ///< 409
  retriable_status_codes = 1 << 7,
  grpc_cancelled = 1 << 8,
  grpc_deadline_exceeded = 1 << 9,
  grpc_internal = 1 << 10,
  grpc_resource_exhausted = 1 << 11,
  grpc_unavailable = 1 << 12,
};

struct RetryPolicy {
  std::uint32_t on = 0;  ///< RetryOn bits
  std::vector<int> statuses;
  /// Besides the first try.
  std::uint32_t attempts = 0;
  Duration per_try_timeout{};  ///< zero: none
  /// The pause before the n-th retry is random below min(base * (2^n - 1), max), as Envoy's.
  Duration backoff_base = std::chrono::milliseconds(25);
  Duration backoff_max = std::chrono::milliseconds(250);
  /// Somebody asked for it: requests that are not idempotent are retried, too. Without, only what
  /// the server cannot have acted on, and idempotent ones.
  bool configured = false;
  /// A retry may go to an endpoint that was tried already, even if there are others.
  bool same_endpoint = false;
  /// A retry goes to another locality than the tries before it, if there is one.
  bool other_localities = false;

  [[nodiscard]] bool has(RetryOn condition) const noexcept {
    return (on & static_cast<std::uint32_t>(condition)) != 0;
  }
  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

/// What Istio does where nobody configured anything: connect-failure, refused-stream, unavailable,
/// cancelled, retriable-status-codes (503 is none of them); two retries.
[[nodiscard]] const RetryPolicy& default_retry_policy() noexcept;

struct Mirror {
  std::string cluster;
  std::uint32_t millionths = kWhole;
  friend bool operator==(const Mirror&, const Mirror&) = default;
};

struct Fault {
  std::uint32_t delay_millionths = 0;
  Duration delay{};
  std::uint32_t abort_millionths = 0;
  int abort_status = 0;  ///< 0: a gRPC status instead
  std::optional<std::uint32_t> abort_grpc_status;
  friend bool operator==(const Fault&, const Fault&) = default;
};

struct Cors {
  std::vector<TextPattern> origins;
  std::vector<std::string> methods;  ///< "*" alone: any
  std::vector<std::string> headers;  ///< allowed request headers; "*" alone: any
  std::vector<std::string> exposed;
  std::optional<std::chrono::seconds> max_age;
  bool credentials = false;
  /// A preflight of an origin that is not allowed goes on to the backend instead of being answered.
  bool forward_unmatched_preflights = false;
  friend bool operator==(const Cors&, const Cors&) = default;
};

/// Gateway API's sessionPersistence: later requests of a client go to the endpoint of its first.
struct Persistence {
  enum class Type : std::uint8_t { cookie, header };
  Type type = Type::cookie;
  std::string name;
  std::optional<std::chrono::seconds> absolute_timeout;
  std::optional<std::chrono::seconds> idle_timeout;
  std::string path;  ///< of the cookie
  /// The cookie lives for absolute_timeout, and not only as long as the client's session.
  bool permanent_cookie = false;
  friend bool operator==(const Persistence&, const Persistence&) = default;
};

struct Timeouts {
  Duration request{};  ///< from the request's end to the answer's end; zero: none
  Duration backend{};  ///< of one try; zero: none
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

/// Which line of which manifest a route comes from, for logs and explanations.
struct RouteOrigin {
  std::string kind;  ///< "HTTPRoute"; empty: nobody wrote it
  std::string ns;
  std::string name;
  std::size_t rule = 0;
  std::size_t match = 0;

  /// "HTTPRoute shop/web rule 1 match 0"; "default".
  [[nodiscard]] std::string to_string() const;
  friend bool operator==(const RouteOrigin&, const RouteOrigin&) = default;
};

struct Route {
  /// ROUTE_NAME of the access log.
  std::string name;
  RouteOrigin origin;
  RouteMatch match;
  Action action;
  HeaderChanges request_headers;
  HeaderChanges response_headers;
  Timeouts timeouts;
  /// None: default_retry_policy().
  std::optional<RetryPolicy> retry;
  std::vector<Mirror> mirrors;
  std::optional<Fault> fault;
  std::optional<Cors> cors;
  std::optional<Persistence> persistence;

  friend bool operator==(const Route&, const Route&) = default;
};

using RoutePtr = std::shared_ptr<const Route>;

}  // namespace aquifer::l7
