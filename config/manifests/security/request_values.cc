#include "config/manifests/security/request_values.h"

#include "config/manifests/authorization_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aquifer::manifests {
namespace {

using l7::Expression;
using l7::TextPattern;

// A value in a diagnostic: enough to recognise it by.
std::string shown(std::string_view text) {
  return fmt::format("\"{}\"", text.substr(0, 60));
}

TextPattern pattern_of(std::string_view text) {
  TextPattern pattern;
  if (text == "*") return pattern;
  pattern.kind = TextPattern::Kind::exact;
  if (text.starts_with('*')) {
    pattern.kind = TextPattern::Kind::suffix;
    text.remove_prefix(1);
  } else if (text.ends_with('*')) {
    pattern.kind = TextPattern::Kind::prefix;
    text.remove_suffix(1);
  }
  pattern.text = text;
  return pattern;
}

// Istio takes it; it only never matches what was meant.
void warn_of_star(const Fields& fields, std::string_view name, const TextItem& item,
                  const TextPattern& pattern) {
  if (!pattern.text.contains('*')) return;
  fields.warn_at(item.line, name,
                 fmt::format("{} matches only a text with a * in it: * stands for anything at one "
                             "end alone",
                             shown(item.text)));
}

// Calls `make(item, pattern)` for each text that is one, which gives its condition.
template <typename Make>
Conditions read_patterns(Fields& fields, std::string_view name, Make&& make) {
  Conditions conditions;
  for (const TextItem& item : fields.texts(name)) {
    if (item.text.empty()) {
      fields.error_at(item.line, name, "an empty text matches nothing: take it out");
      continue;
    }
    TextPattern pattern = pattern_of(item.text);
    warn_of_star(fields, name, item, pattern);
    conditions.push_back(make(item, std::move(pattern)));
  }
  return conditions;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// Stars stand for anything anywhere in the name of a namespace.
TextPattern namespace_pattern(const std::string& text) {
  const auto stars = std::ranges::count(text, '*');
  const bool at_an_end = text.starts_with('*') || text.ends_with('*');
  if (stars == 0 || (stars == 1 && at_an_end)) return pattern_of(text);
  std::string expression;
  for (const char c : text) {
    if (c == '*') {
      expression += ".*";
    } else {
      if (c == '.' || c == '-') expression += '\\';
      expression += c;
    }
  }
  TextPattern pattern;
  pattern.kind = TextPattern::Kind::regex;
  // Names hold nothing that an expression could fail on: see is_namespace().
  if (auto regex = l7::Regex::compile(expression)) pattern.regex = std::move(*regex);
  return pattern;
}

bool is_namespace(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '*';
  });
}

// Istio's reading of ISSUER/SUBJECT: the last slash parts them, and a star may end either side.
Expression request_principal(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  const bool parted = slash != std::string_view::npos;
  TextPattern issuer;
  TextPattern subject;
  const auto exact = [](std::string_view part) { return TextPattern::exact(std::string(part)); };
  if (text == "*") {
    // Any issuer and any subject.
  } else if (text.starts_with('*')) {
    if (parted) {
      issuer = pattern_of(text.substr(0, slash));
      subject = exact(text.substr(slash + 1));
    } else {
      subject = pattern_of(text);
    }
  } else if (text.ends_with('*')) {
    issuer = parted ? exact(text.substr(0, slash)) : pattern_of(text);
    if (parted) subject = pattern_of(text.substr(slash + 1));
  } else {
    issuer = exact(text.substr(0, parted ? slash : text.size()));
    subject = exact(parted ? text.substr(slash + 1) : std::string_view());
  }
  l7::AllOf both;
  both.parts.push_back({l7::ClaimIs{{"iss"}, std::move(issuer)}});
  both.parts.push_back({l7::ClaimIs{{"sub"}, std::move(subject)}});
  return {std::move(both)};
}

}  // namespace

Conditions read_hosts(Fields& fields, std::string_view name) {
  return read_patterns(fields, name, [](const TextItem&, TextPattern pattern) {
    pattern.ignore_case = true;
    pattern.text = lower(std::move(pattern.text));
    return Expression{l7::HeaderIs{":authority", std::move(pattern)}};
  });
}

Conditions read_header_values(Fields& fields, std::string_view name, const std::string& header) {
  return read_patterns(fields, name, [&](const TextItem&, TextPattern pattern) {
    return Expression{l7::HeaderIs{header, std::move(pattern)}};
  });
}

Conditions read_paths(Fields& fields, std::string_view name) {
  Conditions conditions;
  for (const TextItem& item : fields.texts(name)) {
    if (l7::PathTemplate::is_template(item.text)) {
      if (auto shape = l7::PathTemplate::parse(item.text)) {
        conditions.push_back({l7::PathFits{std::move(*shape)}});
      } else {
        fields.error_at(item.line, name,
                        fmt::format("{} is no template: {{*}} and {{**}} stand for whole segments, "
                                    "{{**}} is the last of them, and there is no other * or brace",
                                    shown(item.text)));
      }
      continue;
    }
    if (item.text.empty()) {
      fields.error_at(item.line, name, "an empty text matches nothing: take it out");
      continue;
    }
    TextPattern pattern = pattern_of(item.text);
    warn_of_star(fields, name, item, pattern);
    const bool from_start =
        pattern.kind == TextPattern::Kind::exact || pattern.kind == TextPattern::Kind::prefix;
    if (from_start && !pattern.text.starts_with('/')) {
      fields.warn_at(item.line, name,
                     fmt::format("{} matches NOTHING, since every path begins with /: write /{}",
                                 shown(item.text), item.text.substr(0, 60)));
    }
    conditions.push_back({l7::PathIs{std::move(pattern)}});
  }
  return conditions;
}

Conditions read_ports(Fields& fields, std::string_view name) {
  std::vector<std::uint16_t> ports;
  read_ports(fields, name, ports);
  Conditions conditions;
  for (const std::uint16_t port : ports) conditions.push_back({l7::PortIs{port}});
  return conditions;
}

Conditions read_server_names(Fields& fields, std::string_view name) {
  return read_patterns(fields, name, [](const TextItem&, TextPattern pattern) {
    return Expression{l7::ServerNameIs{std::move(pattern)}};
  });
}

Conditions read_principals(Fields& fields, std::string_view name) {
  constexpr std::string_view kScheme = "spiffe://";
  return read_patterns(fields, name, [&](const TextItem& item, TextPattern pattern) {
    if (item.text.starts_with(kScheme)) {
      fields.warn_at(item.line, name,
                     fmt::format("{} matches NOTHING, since principals are compared without "
                                 "spiffe://: write {}",
                                 shown(item.text), shown(item.text.substr(kScheme.size()))));
    }
    return Expression{l7::PrincipalIs{std::move(pattern)}};
  });
}

Conditions read_namespaces(Fields& fields, std::string_view name) {
  Conditions conditions;
  for (const TextItem& item : fields.texts(name)) {
    if (item.text.empty() || !is_namespace(item.text)) {
      fields.error_at(item.line, name,
                      fmt::format("{} is no namespace: write lower-case letters, digits, '-', and "
                                  "* for anything",
                                  shown(item.text)));
      continue;
    }
    conditions.push_back({l7::NamespaceIs{namespace_pattern(item.text)}});
  }
  return conditions;
}

Conditions read_accounts(Fields& fields, std::string_view name, const std::string& own_namespace) {
  std::vector<model::ServiceAccountMatch> accounts;
  read_accounts(fields, name, own_namespace, accounts);
  Conditions conditions;
  for (auto& account : accounts) {
    conditions.push_back({l7::AccountIs{std::move(account.ns), std::move(account.name)}});
  }
  return conditions;
}

Conditions read_request_principals(Fields& fields, std::string_view name) {
  Conditions conditions;
  for (const TextItem& item : fields.texts(name)) {
    if (item.text.empty()) {
      fields.error_at(item.line, name, "an empty text matches nothing: take it out");
      continue;
    }
    if (!item.text.contains('/') && !item.text.contains('*')) {
      fields.warn_at(
          item.line, name,
          fmt::format("{} matches NOTHING: write ISSUER/SUBJECT, where either may end in "
                      "or begin with *",
                      shown(item.text)));
    }
    conditions.push_back(request_principal(item.text));
  }
  return conditions;
}

Conditions read_claims(Fields& fields, std::string_view name,
                       const std::vector<std::string>& path) {
  return read_patterns(fields, name, [&](const TextItem&, TextPattern pattern) {
    return Expression{l7::ClaimIs{path, std::move(pattern)}};
  });
}

template <typename Condition>
Conditions read_networks(Fields& fields, std::string_view name) {
  std::vector<Cidr> networks;
  read_networks(fields, name, networks);
  Conditions conditions;
  for (const Cidr& network : networks) conditions.push_back({Condition{network}});
  return conditions;
}

template Conditions read_networks<l7::SourceIn>(Fields&, std::string_view);
template Conditions read_networks<l7::RemoteIn>(Fields&, std::string_view);
template Conditions read_networks<l7::DestinationIn>(Fields&, std::string_view);

}  // namespace aquifer::manifests
