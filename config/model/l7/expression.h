// What a policy asks of a request: a tree of all, any and none over single conditions. The form is
// wide enough for Istio's manifests and for the RBAC filters that istiod makes of them. Plain
// values, immutable once they are in a book.
#pragma once

#include "common/base/address.h"
#include "config/model/l7/path_template.h"
#include "config/model/l7/security_question.h"
#include "config/model/l7/text_pattern.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aquifer::l7 {

// A pattern of kind `any` asks for something to be there: a header field, an identity; a path, a
// server name or a claim's text must not be empty either.

struct Always {
  friend bool operator==(const Always&, const Always&) = default;
};
/// Also `:method` and `:authority`. The name is in lower case.
struct HeaderIs {
  std::string name;
  TextPattern text;
  friend bool operator==(const HeaderIs&, const HeaderIs&) = default;
};
/// Without the query.
struct PathIs {
  TextPattern text;
  friend bool operator==(const PathIs&, const PathIs&) = default;
};
struct PathFits {
  PathTemplate shape;
  friend bool operator==(const PathFits&, const PathFits&) = default;
};
struct PortIs {
  std::uint16_t port = 0;
  friend bool operator==(const PortIs&, const PortIs&) = default;
};
struct DestinationIn {
  Cidr network;
  friend bool operator==(const DestinationIn&, const DestinationIn&) = default;
};
struct SourceIn {
  Cidr network;
  friend bool operator==(const SourceIn&, const SourceIn&) = default;
};
struct RemoteIn {
  Cidr network;
  friend bool operator==(const RemoteIn&, const RemoteIn&) = default;
};
struct ServerNameIs {
  TextPattern text;
  friend bool operator==(const ServerNameIs&, const ServerNameIs&) = default;
};
/// A SPIFFE id without `spiffe://`.
struct PrincipalIs {
  TextPattern text;
  friend bool operator==(const PrincipalIs&, const PrincipalIs&) = default;
};
struct NamespaceIs {
  TextPattern text;
  friend bool operator==(const NamespaceIs&, const NamespaceIs&) = default;
};
struct AccountIs {
  std::string ns;
  std::string name;
  friend bool operator==(const AccountIs&, const AccountIs&) = default;
};
/// Of a verified token: a text that fits, or a list with one in it.
struct ClaimIs {
  std::vector<std::string> path;
  TextPattern text;
  friend bool operator==(const ClaimIs&, const ClaimIs&) = default;
};

struct Expression;
/// Without parts: true.
struct AllOf {
  std::vector<Expression> parts;
  friend bool operator==(const AllOf&, const AllOf&) = default;
};
/// Without parts: false.
struct AnyOf {
  std::vector<Expression> parts;
  friend bool operator==(const AnyOf&, const AnyOf&) = default;
};
/// Without parts: true.
struct NoneOf {
  std::vector<Expression> parts;
  friend bool operator==(const NoneOf&, const NoneOf&) = default;
};

struct Expression {
  std::variant<Always, HeaderIs, PathIs, PathFits, PortIs, DestinationIn, SourceIn, RemoteIn,
               ServerNameIs, PrincipalIs, NamespaceIs, AccountIs, ClaimIs, AllOf, AnyOf, NoneOf>
      node;
  friend bool operator==(const Expression&, const Expression&) = default;
};

[[nodiscard]] bool holds(const Expression& expression, const SecurityQuestion& question);

/// What is left of it where no request can be seen: every condition on one is taken out, and what
/// has no condition left with it. None: nothing is left.
[[nodiscard]] std::optional<Expression> without_http(const Expression& expression);
/// Is there a condition on a request in it?
[[nodiscard]] bool asks_http(const Expression& expression);

}  // namespace aquifer::l7
