// A table of cases: policies, a connection, and the answer.
#pragma once

#include "tests/unit/config/model/policy_text.h"

#include <doctest/doctest.h>

#include <vector>

namespace aquifer::model::test {

inline void check_cases(const std::vector<AuthorizationCase>& cases) {
  for (const AuthorizationCase& one : cases) {
    CAPTURE(one.what);
    const AuthorizationBook book = book_of(one.policies);
    Connection connection(one.connection, one.selected);
    CHECK(answer_of(authorize(book, connection.get())) == one.answer);
  }
}

}  // namespace aquifer::model::test
