#include "config/model/books.h"

namespace aquifer::model {

Books keep_equal(const Books& current, Books wanted) {
  const auto keep = [](const auto& known, auto& next) {
    if (*known == *next) next = known;
  };
  keep(current.authorization, wanted.authorization);
  keep(current.egress, wanted.egress);
  keep(current.network, wanted.network);
  return wanted;
}

}  // namespace aquifer::model
