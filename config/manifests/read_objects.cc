#include "config/manifests/read_objects.h"

#include "common/base/assert.h"
#include "config/manifests/kinds.h"
#include "config/manifests/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace aquifer::manifests {
namespace {

// RFC 1123 subdomain, as Kubernetes limits names. Nothing else may reach keys, paths and
// identities.
constexpr std::size_t kNameBytesMax = 253;
// Lists inside lists: kubectl never writes them.
constexpr int kListDepthMax = 4;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

bool annotation_counts(std::string_view name) {
  return name.starts_with("aquifer.dev/") || name.starts_with("networking.istio.io/") ||
         name.starts_with("istio.io/") || name == "ambient.istio.io/redirection" ||
         name == "sidecar.istio.io/status";
}

bool is_cluster_scoped(std::string_view kind) {
  return kind == "Namespace" || kind == "Node";
}

// What comes before the parts of one object can be read.
struct Header {
  std::string api_group;
  std::string kind;
};

Metadata read_metadata(Fields& object, const Header& header, const Origin& origin) {
  Metadata meta;
  meta.origin = origin;
  Fields fields = object.map("metadata");
  meta.name = fields.text_or("name", "");
  meta.ns = is_cluster_scoped(header.kind) ? "" : fields.text_or("namespace", "default");
  object.context().object = object_name(header.kind, meta);
  if (!fields.present()) {
    object.error("metadata", "missing: write the object's name there");
    return meta;
  }
  if (meta.name.empty()) {
    fields.error("name", "missing: write the object's name");
  } else if (!is_name(meta.name)) {
    fields.error("name", "not a Kubernetes name: lower-case letters, digits, '-' and '.' only");
  }
  if (!meta.ns.empty() && !is_name(meta.ns)) {
    fields.error("namespace",
                 "not a Kubernetes name: lower-case letters, digits, '-' and '.' only");
  }
  meta.uid = fields.text_or("uid", "");
  meta.created = fields.text_or("creationTimestamp", "");
  meta.labels = fields.text_map("labels");
  meta.annotations = fields.text_map("annotations");
  std::erase_if(meta.annotations, [](const auto& item) { return !annotation_counts(item.first); });
  meta.deleting = fields.has("deletionTimestamp");
  fields.each("ownerReferences", [&](Fields& owner) {
    if (!owner.boolean("controller").value_or(false)) return;
    meta.owner_kind = owner.text_or("kind", "");
    meta.owner_name = owner.text_or("name", "");
  });
  fields.ignore({"deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName",
                 "generation", "managedFields", "namespace", "resourceVersion", "selfLink"});
  fields.finish();
  return meta;
}

void read_namespace(Fields& fields, Metadata meta, FileObjects& out) {
  fields.ignore({"spec", "status"});
  fields.finish();
  out.namespaces.push_back({std::move(meta)});
}

// Only where the machine stands counts.
void read_node(Fields& fields, Metadata meta, FileObjects& out) {
  fields.ignore({"spec", "status"});
  fields.finish();
  out.nodes.push_back({std::move(meta)});
}

using Reader = void (*)(Fields& fields, Metadata meta, FileObjects& out);

// The kinds that kinds.h calls read. No two of them share a name, whatever their group.
constexpr std::array kReaders{
    std::pair<std::string_view, Reader>("Pod", &read_pod),
    std::pair<std::string_view, Reader>("Service", &read_service),
    std::pair<std::string_view, Reader>("EndpointSlice", &read_endpoint_slice),
    std::pair<std::string_view, Reader>("Namespace", &read_namespace),
    std::pair<std::string_view, Reader>("Node", &read_node),
    std::pair<std::string_view, Reader>("ServiceEntry", &read_service_entry),
    std::pair<std::string_view, Reader>("WorkloadEntry", &read_workload_entry),
    std::pair<std::string_view, Reader>("Gateway", &read_gateway),
    std::pair<std::string_view, Reader>("ConfigMap", &read_config_map),
    std::pair<std::string_view, Reader>("AuthorizationPolicy", &read_authorization_policy),
    std::pair<std::string_view, Reader>("PeerAuthentication", &read_peer_authentication),
    std::pair<std::string_view, Reader>("RequestAuthentication", &read_request_authentication),
    std::pair<std::string_view, Reader>("NetworkPolicy", &read_network_policy),
    std::pair<std::string_view, Reader>("EgressPolicy", &read_egress_policy),
    std::pair<std::string_view, Reader>("HTTPRoute", &read_http_route),
    std::pair<std::string_view, Reader>("GRPCRoute", &read_grpc_route),
    std::pair<std::string_view, Reader>("TCPRoute", &read_tcp_route),
    std::pair<std::string_view, Reader>("TLSRoute", &read_tls_route),
    std::pair<std::string_view, Reader>("ReferenceGrant", &read_reference_grant),
    std::pair<std::string_view, Reader>("VirtualService", &read_virtual_service),
    std::pair<std::string_view, Reader>("DestinationRule", &read_destination_rule),
};

void read_known(Fields& fields, const Header& header, const Origin& origin, FileObjects& out) {
  Metadata meta = read_metadata(fields, header, origin);
  const auto* reader =
      std::ranges::find(kReaders, header.kind, [](const auto& row) { return row.first; });
  AQUIFER_ASSERT(reader != kReaders.end());
  reader->second(fields, std::move(meta), out);
}

class FileReader {
 public:
  FileReader(std::string file, FileObjects& out)
      : file_(std::make_shared<const std::string>(std::move(file))), out_(out) {}

  void read(const YamlNode& node, int list_depth = 0) {
    if (node.kind == YamlKind::null) return;
    ObjectContext context{out_.report, *file_, "", 0};
    Fields fields(context, node);
    if (!fields.present()) return;
    const std::optional<Header> header = read_header(fields);
    if (!header) return;
    if (header->kind == "List") return read_list(fields, list_depth);
    ++out_.objects;
    const Origin origin{file_, node.line};
    const KindState state = kind_state(header->api_group, header->kind);
    if (state == KindState::read) return read_known(fields, *header, origin, out_);
    read_other(fields, *header, origin);
  }

 private:
  static std::optional<Header> read_header(Fields& fields) {
    const auto api_version = fields.text("apiVersion");
    const auto kind = fields.text("kind");
    if (!kind || kind->empty()) {
      fields.error("kind", "missing: every document here must be a Kubernetes object");
      return std::nullopt;
    }
    fields.context().object = *kind;
    if (!api_version || api_version->empty()) {
      fields.error("apiVersion", "missing: write it as kubectl would take it, such as v1");
      return std::nullopt;
    }
    const std::size_t slash = api_version->find('/');
    return Header{slash == std::string::npos ? "" : api_version->substr(0, slash), *kind};
  }

  void read_list(Fields& fields, int list_depth) {
    if (list_depth >= kListDepthMax) {
      return fields.error("items", "lists inside lists: write the objects themselves");
    }
    const YamlNode* items = fields.raw("items");
    if (items == nullptr) return;
    if (items->kind != YamlKind::sequence)
      return fields.error("items", "must be a list of objects");
    fields.ignore({"metadata"});
    fields.finish();
    for (const YamlNode* item : items->children) read(*item, list_depth + 1);
  }

  void read_other(Fields& fields, const Header& header, const Origin& origin) {
    Metadata meta;
    const YamlNode* metadata = fields.raw("metadata");
    const auto text_of = [&](std::string_view name) {
      const YamlNode* value = metadata != nullptr ? metadata->find(name) : nullptr;
      return value != nullptr ? value->text : std::string();
    };
    meta.name = text_of("name");
    meta.ns = text_of("namespace");
    out_.others.push_back({header.api_group, header.kind, object_name(header.kind, meta), origin});
  }

  std::shared_ptr<const std::string> file_;
  FileObjects& out_;
};

}  // namespace

const std::string* Metadata::label(std::string_view label_name) const {
  const auto at = labels.find(label_name);
  return at == labels.end() ? nullptr : &at->second;
}

const std::string* Metadata::annotation(std::string_view annotation_name) const {
  const auto at = annotations.find(annotation_name);
  return at == annotations.end() ? nullptr : &at->second;
}

std::string object_name(std::string_view kind, const Metadata& meta) {
  if (meta.name.empty()) return std::string(kind);
  if (meta.ns.empty()) return fmt::format("{} {}", kind, meta.name);
  return fmt::format("{} {}/{}", kind, meta.ns, meta.name);
}

std::optional<IpAddress> read_address(const Fields& fields, std::string_view name,
                                      const TextItem& item) {
  const auto address = IpAddress::parse(item.text);
  if (address && !address->is_unspecified()) return *address;
  fields.error_at(item.line, name,
                  fmt::format("\"{}\" is not an IP address: write one such as 10.0.0.1 or fd00::1",
                              item.text.substr(0, 60)));
  return std::nullopt;
}

FileObjects read_text(const std::string& file, const std::string& text) {
  FileObjects out;
  FileReader reader(file, out);
  const auto done = for_each_document(text, [&](const YamlNode& root) { reader.read(root); });
  if (!done) {
    out.report.add({.severity = Severity::error,
                    .file = file,
                    .line = done.error().line,
                    .object = "",
                    .field = "",
                    .text = done.error().text});
  }
  return out;
}

}  // namespace aquifer::manifests
