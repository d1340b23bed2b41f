// Whose tokens are believed on one worker: the keys of each issuer, and tokens that were verified a
// moment ago, so that a client that sends one with every request pays for it once. The worker's
// alone; fetched keys are posted to it.
#pragma once

#include "common/jwt/key_set.h"
#include "common/jwt/token.h"
#include "config/model/l7/request_authentication.h"

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace aquifer::waypoint {

/// Keys by the address that they were fetched from; null where they could not be had. Immutable.
using FetchedKeys = std::unordered_map<std::string, jwt::KeySetPtr>;
using FetchedKeysPtr = std::shared_ptr<const FetchedKeys>;

class TokenKeys {
 public:
  /// Replaces all fetched keys. Tokens are verified anew.
  void set_fetched(FetchedKeysPtr fetched);

  /// The token, if it is of the rule's issuer, for its audience, valid now and signed with one of
  /// the issuer's keys. Its claims are normalised.
  [[nodiscard]] std::expected<std::shared_ptr<const jwt::Token>, jwt::Fault> verify(
      const l7::TokenRulePtr& rule, std::string_view token, std::chrono::sys_seconds now);

  /// Tokens that are remembered; for tests.
  [[nodiscard]] std::size_t remembered() const noexcept { return young_.size() + old_.size(); }

 private:
  using TokenPtr = std::shared_ptr<const jwt::Token>;
  // What is kept by a rule's address holds the rule, so that no other can come to stand there.
  struct Keys {
    l7::TokenRulePtr rule;
    jwt::KeySetPtr keys;
  };
  struct Believed {
    l7::TokenRulePtr rule;
    TokenPtr token;
  };
  // By the rule's address and the token's text.
  using Verified = std::unordered_map<std::string, Believed>;

  // Null: there are none.
  [[nodiscard]] const jwt::KeySet* keys_of(const l7::TokenRulePtr& rule);
  [[nodiscard]] TokenPtr recall(const std::string& key);

  FetchedKeysPtr fetched_ = std::make_shared<const FetchedKeys>();
  std::unordered_map<const l7::TokenRule*, Keys> inline_;
  // Two generations: when the young one is full it becomes the old one, and what was not asked for
  // again is forgotten.
  Verified young_;
  Verified old_;
};

}  // namespace aquifer::waypoint
