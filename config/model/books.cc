#include "config/model/books.h"

namespace aquifer::model {

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
  return wanted;
}

}  // namespace aquifer::model
