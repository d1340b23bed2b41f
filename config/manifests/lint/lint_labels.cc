// Labels that steer the mesh: misspelt ones, values nobody knows, and labels on kinds that do not
// read them.
#include "config/manifests/lint/lint.h"
#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace aquifer::manifests {
namespace {

// As bits, because a label may count on several.
enum : std::uint8_t { kNamespace = 1, kPod = 2, kService = 4, kGateway = 8, kEntry = 16 };

struct Steering {
  std::string_view name;
  std::uint8_t kinds;
  /// Where people are to write it instead.
  std::string_view place;
  /// Empty: any value is a name.
  std::span<const std::string_view> values;
};

constexpr std::array<std::string_view, 2> kModes{"ambient", "none"};
constexpr std::array<std::string_view, 4> kPurposes{"service", "workload", "all", "none"};

constexpr std::uint8_t kUsers = kNamespace | kPod | kService | kEntry;
constexpr std::array kSteering{
    Steering{"istio.io/dataplane-mode", kNamespace | kPod, "a Namespace or Pod", kModes},
    Steering{"istio.io/use-waypoint",
             kUsers,
             "a Namespace, Service, Pod, ServiceEntry or WorkloadEntry",
             {}},
    Steering{"istio.io/use-waypoint-namespace",
             kUsers,
             "a Namespace, Service, Pod, ServiceEntry or WorkloadEntry",
             {}},
    Steering{"istio.io/waypoint-for", kGateway, "the waypoint's Gateway", kPurposes},
};

// Labels of Istio that are none of the above but near them in spelling.
constexpr std::array<std::string_view, 2> kOthers{"istio.io/ingress-use-waypoint", "istio.io/rev"};

// A slip of the finger or two; more is another word.
constexpr std::size_t kSlips = 2;

// What is left when people write it their own way: "istio.io/DataplaneMode" -> "dataplanemode".
std::string bare(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
  std::string result;
  for (const char c : name) {
    if (c == '-' || c == '_' || c == '.') continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

const Steering* find(std::string_view name) {
  const auto* at = std::ranges::find(kSteering, name, &Steering::name);
  return at == kSteering.end() ? nullptr : at;
}

// The label that was meant by one that nobody knows; null when it is simply somebody else's.
const Steering* meant_by(std::string_view name) {
  if (std::ranges::find(kOthers, name) != kOthers.end()) return nullptr;
  const std::string own = bare(name);
  for (const Steering& known : kSteering) {
    const bool spelt = name.contains("istio") && edit_distance(name, known.name) <= kSlips;
    if (spelt || own == bare(known.name)) return &known;
  }
  return nullptr;
}

class LabelLint {
 public:
  LabelLint(Findings& findings, std::string_view kind, std::uint8_t kind_bit)
      : findings_(findings), kind_(kind), kind_bit_(kind_bit) {}

  void look(const Metadata& meta) {
    // Istio copies a Gateway's labels to all that it makes of it.
    const bool generated = meta.label("gateway.networking.k8s.io/gateway-name") != nullptr;
    for (const auto& [name, value] : meta.labels) {
      const Steering* known = find(name);
      if (known == nullptr) {
        if (const Steering* meant = meant_by(name))
          say(meta, "metadata.labels", name,
              fmt::format("nobody reads this label: write {}", meant->name));
      } else if ((known->kinds & kind_bit_) == 0) {
        if (!generated) {
          say(meta, "metadata.labels", name,
              fmt::format("a {} does not read it: write it on {}", kind_, known->place));
        }
      } else {
        look_at_value(meta, *known, value);
      }
    }
    for (const auto& [name, value] : meta.annotations) {
      if (find(name) != nullptr)
        say(meta, "metadata.annotations", name, "is read as a label only: write it under labels");
    }
    look_at_pair(meta);
  }

 private:
  void look_at_value(const Metadata& meta, const Steering& known, const std::string& value) {
    // Those of the Gateway are said when the mesh is loaded.
    if (known.values.empty() || kind_bit_ == kGateway) return;
    if (std::ranges::find(known.values, value) != known.values.end()) return;
    std::string mend;
    for (const std::string_view one : known.values)
      mend += fmt::format("{}{}", mend.empty() ? "" : (one == known.values.back() ? " or " : ", "),
                          one);
    say(meta, "metadata.labels", known.name,
        fmt::format("{} is not known and has no effect: write {}", in_quotes(value), mend));
  }

  void look_at_pair(const Metadata& meta) {
    if (meta.label("istio.io/use-waypoint-namespace") == nullptr) return;
    if (meta.label("istio.io/use-waypoint") != nullptr) return;
    say(meta, "metadata.labels", "istio.io/use-waypoint-namespace",
        "has no effect alone: write istio.io/use-waypoint, too");
  }

  void say(const Metadata& meta, std::string_view field, std::string_view name, std::string text) {
    findings_.warn(kind_, meta, {std::string(field), std::string(name)},
                   fmt::format("{}: {}", name, text));
  }

  Findings& findings_;
  std::string_view kind_;
  std::uint8_t kind_bit_;
};

template <typename Object>
void look_at_all(const Assembly& assembly, std::vector<Object> FileObjects::* kind,
                 LabelLint lint) {
  assembly.for_each(kind, [&](const Object& object) { lint.look(object.meta); });
}

}  // namespace

void lint_labels(const LintMesh& mesh, Findings& findings) {
  const Assembly& assembly = mesh.assembly;
  look_at_all(assembly, &FileObjects::namespaces, {findings, "Namespace", kNamespace});
  look_at_all(assembly, &FileObjects::pods, {findings, "Pod", kPod});
  look_at_all(assembly, &FileObjects::services, {findings, "Service", kService});
  look_at_all(assembly, &FileObjects::waypoints, {findings, "Gateway", kGateway});
  look_at_all(assembly, &FileObjects::service_entries, {findings, "ServiceEntry", kEntry});
  look_at_all(assembly, &FileObjects::workload_entries, {findings, "WorkloadEntry", kEntry});
}

}  // namespace aquifer::manifests
