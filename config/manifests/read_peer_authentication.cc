// PeerAuthentication -> PeerAuthenticationObject.
#include "config/manifests/authorization_values.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>
#include <utility>

namespace aquifer::manifests {
namespace {

MtlsMode read_mode(Fields& mtls) {
  const std::string mode = mtls.text_or("mode", "UNSET");
  std::ignore = mtls.finish_strictly();
  if (mode == "STRICT") return MtlsMode::strict;
  if (mode == "PERMISSIVE") return MtlsMode::permissive;
  if (mode == "DISABLE") {
    mtls.warn("mode", "DISABLE is PERMISSIVE here: ztunnel takes mutual TLS and plaintext alike");
    return MtlsMode::disable;
  }
  if (mode != "UNSET") {
    mtls.error("mode", fmt::format("\"{}\" is no mode: write STRICT, PERMISSIVE, DISABLE or UNSET",
                                   mode.substr(0, 60)));
  }
  return MtlsMode::unset;
}

void read_ports_of(Fields& spec, PeerAuthenticationObject& object) {
  Fields ports = spec.map("portLevelMtls");
  if (!ports.present()) return;
  const YamlNode* map = spec.raw("portLevelMtls");
  for (std::size_t i = 0; i + 1 < map->children.size(); i += 2) {
    const std::string& key = map->children[i]->text;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), port);
    if (error != std::errc{} || end != key.data() + key.size() || port == 0) {
      ports.error_at(map->children[i]->line, key, "is not a port: write a number from 1 to 65535");
      std::ignore = ports.raw(key);
      continue;
    }
    Fields mtls = ports.map(key);
    object.ports[port] = read_mode(mtls);
  }
  std::ignore = ports.finish_strictly();
  if (object.selector.empty()) {
    spec.error("portLevelMtls",
               "needs a selector: only the ports of selected workloads can be told apart");
  }
}

}  // namespace

void read_peer_authentication(Fields& fields, Metadata meta, FileObjects& out) {
  PeerAuthenticationObject object;
  Fields spec = fields.map("spec");
  object.selector = read_selector(spec);
  Fields mtls = spec.map("mtls");
  object.mode = read_mode(mtls);
  read_ports_of(spec, object);
  std::ignore = spec.finish_strictly();
  fields.ignore({"status"});
  fields.finish();
  object.meta = std::move(meta);
  out.peer_authentications.push_back(std::move(object));
}

}  // namespace aquifer::manifests
