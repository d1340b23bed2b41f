#include "waypoint/config_dump.h"

#include "common/admin/version.h"
#include "config/ca/cert_dump.h"
#include "config/model/l7/routing_book.h"
#include "config/model/l7/security_book.h"
#include "waypoint/downstream.h"
#include "waypoint/route_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace aquifer::waypoint {
namespace {

using nlohmann::json;

// About 200 KiB of text, a millisecond of work.
constexpr std::size_t kObjectsPerPiece = 100;

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

const char* name_of(l7::SecurityTarget::Kind kind) noexcept {
  switch (kind) {
    case l7::SecurityTarget::Kind::mesh: return "mesh";
    case l7::SecurityTarget::Kind::gateway: return "gateway";
    case l7::SecurityTarget::Kind::service: return "service";
  }
  return "";
}

json targets_json(const std::vector<l7::SecurityTarget>& targets) {
  json result = json::array();
  for (const l7::SecurityTarget& target : targets)
    result.push_back(json{{"kind", name_of(target.kind)}, {"name", target.name}});
  return result;
}

json policy_json(const l7::RequestPolicy& policy) {
  return json{{"namespace", policy.ns},
              {"name", policy.name},
              {"action", l7::name_of(policy.action)},
              {"dryRun", policy.dry_run()},
              {"targets", targets_json(policy.targets)},
              {"requestRules", policy.requests.size()},
              {"connectionRules", policy.connections.size()}};
}

json authentication_json(const l7::RequestAuthentication& authentication) {
  json issuers = json::array();
  for (const l7::TokenRulePtr& rule : authentication.rules) issuers.push_back(rule->issuer);
  return json{{"namespace", authentication.ns},
              {"name", authentication.name},
              {"targets", targets_json(authentication.targets)},
              {"issuers", std::move(issuers)}};
}

json settings_json(const Settings& settings) {
  return json{{"mesh", settings.mesh_path},
              {"gateway", settings.gateway},
              {"network", settings.network},
              {"clusterId", settings.cluster_id},
              {"clusterDomain", settings.cluster_domain},
              {"numWorkerThreads", settings.workers},
              {"accessLog", settings.access_log.to_string()},
              {"tunnelPort", settings.tunnel_port},
              {"adminPort", settings.admin_port},
              {"statsPort", settings.stats_port},
              {"readinessPort", settings.readiness_port}};
}

/// The dump from its first key to its last, some objects at a time.
class DumpBody final : public admin::BodySource {
 public:
  explicit DumpBody(DumpParts parts)
      : parts_(std::move(parts)), routing_(parts_.mesh->books().routing) {
    parts_.mesh->for_each_service([this](const model::ServiceRecordPtr& record) {
      if (!serves(*record->service, parts_.settings.gateway)) return;
      for (const model::ServicePort& port : record->service->ports) {
        chains_.push_back({record, port.port});
        // What nobody configured and nobody has used yet is said, too.
        add_cluster(l7::default_cluster(*record->service, port.port));
      }
    });
    for (const l7::ClusterPtr& cluster : routing_->clusters()) add_cluster(cluster);
    for (const auto& [key, view] : parts_.clusters) add_cluster(view.config);
    std::ranges::sort(clusters_, {}, [](const l7::ClusterPtr& cluster) { return cluster->key; });
    const auto same =
        std::ranges::unique(clusters_, {}, [](const auto& each) { return each->key; });
    clusters_.erase(same.begin(), same.end());
  }

  coro::Task<std::string> next(coro::CancelSource*) override {
    std::string piece;
    switch (section_) {
      case Section::begin:
        piece = head() + ",\n\"chains\":[";
        section_ = Section::chains;
        break;
      case Section::chains:
        piece = take(chains_, [this](const Served& served) { return chain_json(served); });
        if (!piece.empty()) break;
        piece = "],\n\"clusters\":[";
        begin(Section::clusters);
        break;
      case Section::clusters:
        piece = take(clusters_,
                     [this](const l7::ClusterPtr& cluster) { return cluster_json(cluster); });
        if (!piece.empty()) break;
        piece = "],\n\"authorizationPolicies\":[";
        begin(Section::policies);
        break;
      case Section::policies:
        piece = take(parts_.mesh->books().security->policies(),
                     [](const l7::RequestPolicyPtr& policy) { return policy_json(*policy); });
        if (!piece.empty()) break;
        piece = "],\n\"requestAuthentications\":[";
        begin(Section::authentications);
        break;
      case Section::authentications:
        piece =
            take(parts_.mesh->books().security->authentications(),
                 [](const l7::RequestAuthenticationPtr& one) { return authentication_json(*one); });
        if (!piece.empty()) break;
        piece =
            "],\n\"certificates\":" + text_of(ca::certificates_json(parts_.certificates)) + "}\n";
        begin(Section::end);
        break;
      case Section::end: break;
    }
    co_return piece;
  }

 private:
  enum class Section : std::uint8_t {
    begin,
    chains,
    clusters,
    policies,
    authentications,
    end,
  };
  struct Served {
    model::ServiceRecordPtr record;
    std::uint16_t port = 0;
  };

  void begin(Section section) {
    section_ = section;
    at_ = 0;
  }
  void add_cluster(l7::ClusterPtr cluster) {
    if (cluster != nullptr) clusters_.push_back(std::move(cluster));
  }

  /// Empty when the list is at its end.
  template <typename List, typename Make>
  std::string take(const List& list, Make&& make) {
    std::string piece;
    const std::size_t end = std::min(at_ + kObjectsPerPiece, list.size());
    for (; at_ < end; ++at_) {
      piece += at_ == 0 ? "\n" : ",\n";
      piece += text_of(make(list[at_]));
    }
    return piece;
  }

  [[nodiscard]] std::string head() const {
    const Self& self = *parts_.self;
    json gateway{{"name", self.gateway}, {"identity", self.identity.to_string()}};
    if (self.workload != nullptr) gateway["pod"] = self.workload->ns + "/" + self.workload->name;
    json head{
        {"version", admin::version_line("waypoint")},
        {"gateway", std::move(gateway)},
        {"settings", settings_json(parts_.settings)},
        {"meshVersion", parts_.mesh->version()},
        {"silentWorkers", parts_.silent_workers},
        {"refusedConfiguration", parts_.refusal.empty() ? json(nullptr) : json(parts_.refusal)}};
    std::string text = text_of(head);
    text.pop_back();  // the brace: more follows
    return text;
  }

  [[nodiscard]] json chain_json(const Served& served) const {
    const auto chain = l7::find_chain(*routing_, *served.record->service, served.port);
    return chain != nullptr ? to_json(*chain) : json::object();
  }

  [[nodiscard]] json cluster_json(const l7::ClusterPtr& cluster) const {
    json result = to_json(*cluster);
    const auto live = parts_.clusters.find(cluster->key);
    result["inUse"] = live != parts_.clusters.end();
    if (live != parts_.clusters.end()) result.update(to_json(live->second));
    return result;
  }

  DumpParts parts_;
  const l7::RoutingBookPtr routing_;
  std::vector<Served> chains_;
  std::vector<l7::ClusterPtr> clusters_;
  Section section_ = Section::begin;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<admin::BodySource> config_dump_body(DumpParts parts) {
  return std::make_unique<DumpBody>(std::move(parts));
}

}  // namespace aquifer::waypoint
