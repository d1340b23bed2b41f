// ConfigMap istio-system/istio -> MeshConfig, which stands inside it as YAML text.
#include "common/base/spiffe.h"
#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <utility>

namespace aquifer::manifests {
namespace {

// More worker threads than any machine has processors are a mistake.
constexpr std::uint32_t kConcurrencyMax = 4096;

void read_proxy_defaults(Fields& fields, model::ProxyDefaults& proxy) {
  proxy.admin_port = fields.port("proxyAdminPort");
  proxy.stats_port = fields.port("statsPort");
  // 0 means all processors, which is what absent means, too.
  if (const YamlNode* node = fields.raw("concurrency"); node != nullptr && node->text != "0") {
    proxy.concurrency = fields.number("concurrency", kConcurrencyMax);
  }
  proxy.discovery_address = fields.text_or("discoveryAddress", "");
  for (auto& [key, value] : fields.text_map("proxyMetadata")) proxy.metadata.emplace(key, value);
  // The other fields of ProxyConfig are for Envoy.
}

void read_mesh_config(Fields& fields, model::MeshConfig& config) {
  config.root_namespace = fields.text_or("rootNamespace", config.root_namespace);
  if (config.root_namespace.empty()) config.root_namespace = "istio-system";
  config.trust_domain = fields.text_or("trustDomain", config.trust_domain);
  if (!SpiffeId::make(config.trust_domain, "ns", "sa")) {
    fields.error(
        "trustDomain",
        fmt::format(
            "\"{}\" is not a trust domain: lower-case letters, digits, '.', '-' and '_' only",
            config.trust_domain.substr(0, 60)));
  }
  Fields defaults = fields.map("defaultConfig");
  read_proxy_defaults(defaults, config.proxy);
  fields.ignore({"accessLogEncoding",
                 "accessLogFile",
                 "accessLogFormat",
                 "ca",
                 "caCertificates",
                 "certificates",
                 "configSources",
                 "connectTimeout",
                 "defaultDestinationRuleExportTo",
                 "defaultHttpRetryPolicy",
                 "defaultProviders",
                 "defaultServiceExportTo",
                 "defaultVirtualServiceExportTo",
                 "disableEnvoyListenerLog",
                 "discoverySelectors",
                 "dnsRefreshRate",
                 "enableAutoMtls",
                 "enableEnvoyAccessLogService",
                 "enablePrometheusMerge",
                 "enableTracing",
                 "extensionProviders",
                 "h2UpgradePolicy",
                 "hboneIdleTimeout",
                 "inboundClusterStatName",
                 "inboundTrafficPolicy",
                 "ingressClass",
                 "ingressControllerMode",
                 "ingressSelector",
                 "ingressService",
                 "localityLbSetting",
                 "meshMTLS",
                 "outboundClusterStatName",
                 "outboundTrafficPolicy",
                 "pathNormalization",
                 "proxyHttpPort",
                 "proxyInboundListenPort",
                 "proxyListenPort",
                 "serviceScopeConfigs",
                 "serviceSettings",
                 "tcpKeepalive",
                 "tlsDefaults",
                 "trustDomainAliases",
                 "verifyCertificateAtClient"});
  fields.finish();
}

}  // namespace

void read_config_map(Fields& fields, Metadata meta, FileObjects& out) {
  if (meta.ns != "istio-system" || meta.name != "istio") return;
  MeshConfigObject object;
  object.meta = std::move(meta);
  Fields data = fields.map("data");
  const YamlNode* mesh = data.raw("mesh");
  if (mesh == nullptr || mesh->kind != YamlKind::scalar) {
    data.warn("mesh", "missing: the defaults hold; write MeshConfig there, as text");
  } else {
    ObjectContext inner{out.report, fields.context().file, fields.context().object + ": data.mesh",
                        mesh->line};
    const auto done = for_each_document(mesh->text, [&](const YamlNode& root) {
      Fields config(inner, root);
      read_mesh_config(config, object.config);
    });
    if (!done) fields.error_at(mesh->line + done.error().line, "data.mesh", done.error().text);
  }
  out.mesh_configs.push_back(std::move(object));
}

}  // namespace aquifer::manifests
