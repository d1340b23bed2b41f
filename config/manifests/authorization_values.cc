#include "config/manifests/authorization_values.h"

#include "config/manifests/lint/words.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace aquifer::manifests {
namespace {

model::StringMatch string_match(const std::string& text) {
  using enum model::StringMatch::Kind;
  if (text == "*") return {presence, ""};
  if (text.starts_with('*')) return {suffix, text.substr(1)};
  if (text.ends_with('*')) return {prefix, text.substr(0, text.size() - 1)};
  return {exact, text};
}

// Istio takes these; they only never match what was meant.
void warn_of_text(const Fields& fields, std::string_view name, const TextItem& item, Text text,
                  const model::StringMatch& match) {
  constexpr std::string_view kScheme = "spiffe://";
  if (text == Text::principal && item.text.starts_with(kScheme)) {
    fields.warn_at(item.line, name,
                   fmt::format("{} matches NOTHING, since principals are compared without "
                               "spiffe://: write {}",
                               in_quotes(item.text), in_quotes(item.text.substr(kScheme.size()))));
  }
  if (match.text.contains('*')) {
    fields.warn_at(item.line, name,
                   fmt::format("{} matches only a text with a * in it: * stands for anything at "
                               "one end alone",
                               in_quotes(item.text)));
  }
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && port != 0 ? std::optional(port) : std::nullopt;
}

}  // namespace

void read_texts(Fields& fields, std::string_view name, Text text,
                std::vector<model::StringMatch>& out) {
  for (const TextItem& item : fields.texts(name)) {
    if (item.text.empty()) {
      fields.error_at(item.line, name, "an empty text matches nothing: take it out");
      continue;
    }
    out.push_back(string_match(item.text));
    warn_of_text(fields, name, item, text, out.back());
  }
}

void read_accounts(Fields& fields, std::string_view name, const std::string& own_namespace,
                   std::vector<model::ServiceAccountMatch>& out) {
  for (const TextItem& item : fields.texts(name)) {
    const std::size_t slash = item.text.find('/');
    const bool whole = slash != std::string::npos;
    const std::string ns = whole ? item.text.substr(0, slash) : own_namespace;
    const std::string account = whole ? item.text.substr(slash + 1) : item.text;
    if (ns.empty() || account.empty() || account.contains('/') || item.text.contains('*')) {
      fields.error_at(item.line, name,
                      fmt::format("{} is no service account: write NAMESPACE/NAME or NAME, "
                                  "without wildcards",
                                  in_quotes(item.text)));
      continue;
    }
    out.push_back({ns, account});
  }
}

void read_networks(Fields& fields, std::string_view name, std::vector<Cidr>& out) {
  for (const TextItem& item : fields.texts(name)) {
    if (const auto network = Cidr::parse(item.text)) {
      out.push_back(*network);
      continue;
    }
    fields.error_at(item.line, name,
                    fmt::format("{} is neither an address nor a network: write one such as "
                                "10.0.0.1, 10.0.0.0/8 or fd00::/8",
                                in_quotes(item.text)));
  }
}

void read_ports(Fields& fields, std::string_view name, std::vector<std::uint16_t>& out) {
  for (const TextItem& item : fields.texts(name)) {
    if (const auto port = parse_port(item.text)) {
      out.push_back(*port);
      continue;
    }
    fields.error_at(item.line, name,
                    fmt::format("{} is not a number from 1 to 65535", in_quotes(item.text)));
  }
}

StringMap read_selector(Fields& spec) {
  Fields selector = spec.map("selector");
  StringMap labels = selector.text_map("matchLabels");
  std::ignore = selector.finish_strictly();
  return labels;
}

}  // namespace aquifer::manifests
