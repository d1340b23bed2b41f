#include "config/model/books.h"

#include "config/model/l7/routing_book.h"
#include "config/model/l7/security_book.h"

namespace aquifer::model {

const std::shared_ptr<const l7::RoutingBook>& no_routing() noexcept {
  static const auto kNone = std::make_shared<const l7::RoutingBook>();
  return kNone;
}

const std::shared_ptr<const l7::SecurityBook>& no_security() noexcept {
  static const auto kNone = std::make_shared<const l7::SecurityBook>();
  return kNone;
}

bool operator==(const Books& a, const Books& b) {
  const auto same = [](const auto& one, const auto& other) {
    return one == other || *one == *other;
  };
  return same(a.authorization, b.authorization) && same(a.egress, b.egress) &&
         same(a.network, b.network) && same(a.routing, b.routing) && same(a.security, b.security);
}

Books keep_equal(const Books& current, Books wanted) {
  const auto keep = [](const auto& known, auto& next) {
    if (*known == *next) next = known;
  };
  keep(current.authorization, wanted.authorization);
  if (wanted.authorization != current.authorization) {
    wanted.authorization = std::make_shared<const AuthorizationBook>(
        wanted.authorization->sharing(*current.authorization));
  }
  keep(current.egress, wanted.egress);
  keep(current.network, wanted.network);
  keep(current.routing, wanted.routing);
  keep(current.security, wanted.security);
  return wanted;
}

}  // namespace aquifer::model
