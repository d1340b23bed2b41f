// Matches that can never be taken: something before them takes whatever they would.
#include "config/manifests/lint/route_implies.h"
#include "config/manifests/lint/route_mesh.h"
#include "config/model/l7/routing_book.h"

#include <fmt/format.h>

#include <map>
#include <tuple>
#include <unordered_map>

namespace aquifer::manifests {
namespace {

// One match of one rule of one object; it may be bound to several ports.
using MatchKey = std::tuple<std::string, std::string, std::string, std::size_t, std::size_t>;

struct Seen {
  std::size_t ports = 0;
  std::size_t shadowed = 0;
  std::string by;
  bool by_itself = false;
};

MatchKey key_of(const l7::RouteOrigin& origin) {
  return {origin.kind, origin.ns, origin.name, origin.rule, origin.match};
}

std::string rule_text(const l7::RouteOrigin& origin) {
  return fmt::format("{} {}/{}, rule {}, match {}", origin.kind, origin.ns, origin.name,
                     origin.rule, origin.match);
}

class OrderLint {
 public:
  explicit OrderLint(const RouteMesh& mesh) {
    for_each_route(mesh.assembly, [&](const RouteObject& route) {
      add(std::string(name_of(route.kind)), route.meta, "rules", "matches");
    });
    mesh.assembly.for_each(&FileObjects::virtual_services, [&](const VirtualServiceObject& object) {
      add("VirtualService", object.meta, "http", "match");
    });
  }

  void look(const l7::Chain& chain) {
    const auto routes = chain.routes.routes();
    const Shadows shadows(routes);
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const l7::RouteOrigin& origin = routes[i]->origin;
      if (origin.kind.empty()) continue;
      Seen& seen = seen_[key_of(origin)];
      ++seen.ports;
      const l7::Route* before = shadows.before(i);
      if (before == nullptr) continue;
      ++seen.shadowed;
      seen.by = rule_text(before->origin);
      // The same rule says it in two ways: nothing is lost.
      seen.by_itself = before->origin.kind == origin.kind && before->origin.ns == origin.ns &&
                       before->origin.name == origin.name && before->origin.rule == origin.rule;
    }
  }

  void report(Findings& findings) const {
    for (const auto& [key, seen] : seen_) {
      if (seen.shadowed < seen.ports || seen.by_itself) continue;
      const auto& [kind, ns, name, rule, match] = key;
      const auto owner = owners_.find(fmt::format("{} {}/{}", kind, ns, name));
      if (owner == owners_.end()) continue;
      const Owner& by = owner->second;
      findings.warn(kind, *by.meta,
                    {fmt::format("spec.{}[{}].{}[{}]", by.rules, rule, by.matches, match), ""},
                    fmt::format("is never taken: {} goes before it and matches whatever it "
                                "matches; take one of them away, or make this one more exact",
                                seen.by));
    }
  }

 private:
  struct Owner {
    const Metadata* meta = nullptr;
    std::string_view rules;
    std::string_view matches;
  };
  void add(std::string kind, const Metadata& meta, std::string_view rules,
           std::string_view matches) {
    owners_.emplace(fmt::format("{} {}/{}", kind, meta.ns, meta.name),
                    Owner{&meta, rules, matches});
  }

  std::unordered_map<std::string, Owner> owners_;
  std::map<MatchKey, Seen> seen_;
};

}  // namespace

void lint_route_order(const RouteMesh& mesh, Findings& findings) {
  OrderLint lint(mesh);
  for (const l7::ChainPtr& chain : mesh.assembly.state.books.routing->chains()) lint.look(*chain);
  lint.report(findings);
}

}  // namespace aquifer::manifests
