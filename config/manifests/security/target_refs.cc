#include "config/manifests/security/target_refs.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

namespace aquifer::manifests {
namespace {

using Kind = TargetRefObject::Kind;

struct KindRow {
  std::string_view kind;
  std::string_view group;
  Kind value;
};
constexpr std::array kKinds{
    KindRow{"Gateway", "gateway.networking.k8s.io", Kind::gateway},
    KindRow{"GatewayClass", "gateway.networking.k8s.io", Kind::gateway_class},
    KindRow{"Service", "", Kind::service},
    KindRow{"ServiceEntry", "networking.istio.io", Kind::service_entry},
};

void read_one(Fields& target, const std::string& ns, std::vector<TargetRefObject>& out) {
  const std::string kind = target.text_or("kind", "");
  const std::string name = target.text_or("name", "");
  const std::string group = target.text_or("group", "");
  const std::string other_ns = target.text_or("namespace", "");
  std::ignore = target.finish_strictly();
  if (kind.empty() || name.empty()) {
    return target.error(
        "", "names no object: write kind and name of a waypoint's Gateway or of a Service");
  }
  if (!other_ns.empty() && other_ns != ns) {
    return target.error("namespace",
                        fmt::format("a policy may only name objects of its own namespace {}: move "
                                    "the policy, or leave the field out",
                                    ns));
  }
  for (const KindRow& row : kKinds) {
    if (row.kind != kind) continue;
    // "core" is how some write the group of Services.
    const bool same = group == row.group || (row.value == Kind::service && group == "core");
    if (!same) {
      return target.error("group", fmt::format("\"{}\" is not the group of a {}: write \"{}\"",
                                               group.substr(0, 60), kind, row.group));
    }
    out.push_back({row.value, name, target.line()});
    return;
  }
  target.error("kind", fmt::format("\"{}\" is nothing that a policy can be attached to: write "
                                   "Gateway, GatewayClass, Service or ServiceEntry",
                                   kind.substr(0, 60)));
}

}  // namespace

std::vector<TargetRefObject> read_target_refs(Fields& spec, const StringMap& selector,
                                              const std::string& ns) {
  std::vector<TargetRefObject> targets;
  std::string_view field;
  if (Fields target = spec.map("targetRef"); target.present()) {
    field = "targetRef";
    read_one(target, ns, targets);
  }
  spec.each("targetRefs", [&](Fields& target) {
    field = "targetRefs";
    read_one(target, ns, targets);
  });
  if (!field.empty() && !selector.empty()) {
    spec.error(field, "stands beside a selector: keep one of them");
  }
  return targets;
}

}  // namespace aquifer::manifests
