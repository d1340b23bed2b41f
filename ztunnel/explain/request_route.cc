#include "ztunnel/explain/request_route.h"

#include "common/base/header_fields.h"
#include "config/model/l7/path.h"
#include "config/model/l7/rewrite.h"
#include "config/model/l7/routing_book.h"
#include "ztunnel/explain/route_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// What was not said is what curl would send.
struct DescribedRequest {
  explicit DescribedRequest(const RequestAtWaypoint& asked)
      : method(asked.http.method.empty() ? "GET" : asked.http.method),
        authority(asked.host),
        path(asked.http.path.empty() ? "/" : asked.http.path) {
    for (const auto& [name, value] : asked.http.headers) {
      if (equal_without_case(name, "host")) {
        authority = value;
      } else {
        headers.add(name, value);
      }
    }
  }
  std::string method;
  std::string authority;
  std::string path;
  HeaderFields headers;
};

class RouteExplainer {
 public:
  RouteExplainer(const model::Snapshot& snapshot, const RequestAtWaypoint& asked)
      : book_(*snapshot.books().routing), asked_(asked), described_(asked) {}

  RouteStep explain() && {
    step_.request =
        fmt::format("{} {} of {}", described_.method, described_.path,
                    asked_.identity == nullptr || asked_.identity->empty()
                        ? std::string("a client without an identity")
                        : "a client of namespace " + std::string(asked_.identity->ns()));
    const l7::ChainPtr chain = l7::find_chain(book_, asked_.service, asked_.destination.port);
    if (chain == nullptr) {
      step_.action = fmt::format("the service has no port {}", asked_.destination.port);
      return std::move(step_);
    }
    step_.chain = fmt::format("port {} of {}, {}", chain->port, asked_.service.hostname,
                              l7::name_of(chain->protocol));
    if (chain->protocol == l7::Protocol::tcp || chain->protocol == l7::Protocol::tls) {
      step_.action = "the port is not HTTP: requests are not looked at, connections are passed on";
      return std::move(step_);
    }
    auto path = l7::normalise_path(described_.path);
    if (!path) {
      step_.action = fmt::format("answers 400: {}", path.error().context);
      return std::move(step_);
    }
    described_.path = std::move(*path);
    look_up(*chain);
    return std::move(step_);
  }

 private:
  [[nodiscard]] l7::RequestView view() const {
    return {.method = described_.method,
            .scheme = "http",
            .authority = described_.authority,
            .path = described_.path,
            .headers = described_.headers,
            .source = asked_.source,
            .destination = asked_.destination,
            .identity = asked_.identity};
  }

  void look_up(const l7::Chain& chain) {
    const l7::RequestView request = view();
    const l7::RoutePtr& taken = chain.routes.find(request);
    for (const l7::RoutePtr& route : chain.routes.routes()) {
      if (route == taken) break;
      if (step_.passed_over.size() >= kPassedOverShownMax) {
        ++step_.passed_over_more;
        continue;
      }
      step_.passed_over.push_back({.route = route->name,
                                   .origin = route->origin.to_string(),
                                   .why = l7::first_mismatch(route->match, request)});
    }
    if (taken == nullptr) {
      step_.action = "no route matches: answers 404";
      return;
    }
    step_.route = taken->name;
    step_.origin = taken->origin.to_string();
    describe(*taken, request);
  }

  void describe(const l7::Route& route, const l7::RequestView& request) {
    if (const auto* redirect = std::get_if<l7::Redirect>(&route.action)) {
      step_.action = fmt::format(
          "redirects with {} to {}", redirect->status,
          l7::redirect_location(
              *redirect, route.match.path,
              {.scheme = request.scheme, .authority = request.authority, .path = request.path}));
    } else if (const auto* direct = std::get_if<l7::DirectResponse>(&route.action)) {
      step_.action = fmt::format("answers {} itself", direct->status);
    } else {
      forward(route, std::get<l7::Forward>(route.action));
    }
    for (std::string& word : words_of(route)) step_.also.push_back(std::move(word));
  }

  void forward(const l7::Route& route, const l7::Forward& forward) {
    step_.action = "forwards";
    const std::string path = l7::rewritten_path(forward.path, route.match.path, described_.path);
    if (path != described_.path) step_.also.push_back("the path becomes " + path);
    if (!forward.authority.empty()) step_.also.push_back("the host becomes " + forward.authority);
    std::uint64_t total = 0;
    for (const l7::WeightedCluster& cluster : forward.clusters) total += cluster.weight;
    if (total == 0) step_.action = "answers 500: all weights are 0";
    for (const l7::WeightedCluster& cluster : forward.clusters)
      step_.backends.push_back(backend(cluster, total));
  }

  [[nodiscard]] RouteBackend backend(const l7::WeightedCluster& cluster,
                                     std::uint64_t total) const {
    RouteBackend backend;
    backend.weight = cluster.weight;
    backend.total = total;
    if (cluster.cluster.empty()) {
      backend.note = "no such backend: answers 500; `ztunnel check` says why";
      return backend;
    }
    backend.cluster = cluster.cluster;
    const l7::ClusterPtr found = book_.cluster(cluster.cluster);
    if (found == nullptr) return backend;
    if (found->members)
      backend.note =
          fmt::format("subset {} of {} endpoints", found->subset, found->members->size());
    return backend;
  }

  const l7::RoutingBook& book_;
  const RequestAtWaypoint& asked_;
  DescribedRequest described_;
  RouteStep step_;
};

}  // namespace

RouteStep explain_route(const model::Snapshot& snapshot, const RequestAtWaypoint& request) {
  return RouteExplainer(snapshot, request).explain();
}

}  // namespace aquifer::ztunnel
