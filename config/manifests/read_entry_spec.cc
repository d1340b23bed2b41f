// EntrySpec, and WorkloadEntry -> WorkloadEntryObject.
#include "config/manifests/read_entry_spec.h"

#include "config/manifests/read_objects.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace aquifer::manifests {
namespace {

// RFC 1035 section 2.3.4, as text without the trailing dot.
constexpr std::size_t kHostBytesMax = 253;
// Far beyond any real weight, and small enough that the sum over all endpoints stays exact.
constexpr std::uint32_t kWeightMax = 1'000'000;

bool is_account(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

void read_ports(Fields& fields, EntrySpec& spec) {
  for (const auto& [name, text] : fields.text_map("ports")) {
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0) {
      fields.error("ports", fmt::format("{}: \"{}\" is no port: write a number from 1 to 65535",
                                        name.substr(0, 60), text.substr(0, 60)));
      continue;
    }
    spec.ports.emplace(name, number);
  }
}

bool read_entry_address(Fields& fields, EntrySpec& spec) {
  const bool given = fields.has("address");
  const auto text = fields.text("address");
  if (!given) {
    fields.error("address", "missing: write an IP address or a host name");
    return false;
  }
  if (!text) return false;
  if (text->starts_with("unix://")) {
    fields.error("address", "UNIX sockets are not reached from other nodes: write an IP address");
    return false;
  }
  if (const auto address = IpAddress::parse(*text); address && !address->is_unspecified()) {
    spec.address = *address;
    return true;
  }
  if (is_host_name(*text)) {
    spec.hostname = lower_case(*text);
    return true;
  }
  fields.error("address", fmt::format("\"{}\" is neither an IP address nor a host name: write one "
                                      "such as 10.0.0.1 or db.example.com",
                                      text->substr(0, 60)));
  return false;
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.size() < 2 || text.size() > kHostBytesMax) return false;
  if (text.starts_with('.') || text.ends_with('.') || text.contains("..")) return false;
  const bool letters = std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
  const std::string_view last = text.substr(text.rfind('.') + 1);
  return letters && !std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::optional<EntrySpec> read_entry_spec(Fields& fields) {
  EntrySpec spec;
  spec.line = fields.line();
  const bool addressed = read_entry_address(fields, spec);
  read_ports(fields, spec);
  spec.labels = fields.text_map("labels");
  spec.network = fields.text_or("network", "");
  spec.locality = fields.text_or("locality", "");
  spec.service_account = fields.text_or("serviceAccount", "");
  if (!is_account(spec.service_account)) {
    fields.error("serviceAccount",
                 "not a Kubernetes name: lower-case letters, digits, '-' and '.' only");
    spec.service_account.clear();
  }
  spec.weight = fields.number("weight", kWeightMax).value_or(1);
  if (!addressed) return std::nullopt;
  return spec;
}

void read_workload_entry(Fields& fields, Metadata meta, FileObjects& out) {
  WorkloadEntryObject entry;
  entry.meta = std::move(meta);
  Fields spec = fields.map("spec");
  if (!spec.present()) fields.error("spec", "missing: write at least address there");
  std::optional<EntrySpec> read;
  if (spec.present()) read = read_entry_spec(spec);
  spec.finish();
  Fields status = fields.map("status");
  // Whoever checks the workload's health says so here; without a word it is taken to be well.
  status.each("conditions", [&](Fields& condition) {
    const std::string type = condition.text_or("type", "");
    const std::string value = condition.text_or("status", "");
    if (type == "Healthy") entry.healthy = value == "True" || value == "true";
  });
  fields.finish();
  if (!read) return;
  entry.spec = std::move(*read);
  // Labels of either place select it; those of the spec count where both have one.
  for (const auto& [name, value] : entry.meta.labels) entry.spec.labels.emplace(name, value);
  out.workload_entries.push_back(std::move(entry));
}

}  // namespace aquifer::manifests
