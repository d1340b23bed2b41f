#include "waypoint/filters/token_keys.h"

#include <cstring>
#include <utility>

namespace aquifer::waypoint {
namespace {

// Of one generation: with tokens of a KiB, two of them are a MiB a worker.
constexpr std::size_t kRememberedMax = 512;
// Rules whose keys are kept parsed. A mesh has a few; versions of them come and go.
constexpr std::size_t kInlineRulesMax = 1024;

std::string cache_key(const l7::TokenRule* rule, std::string_view token) {
  std::string key(sizeof(rule), '\0');
  std::memcpy(key.data(), static_cast<const void*>(&rule), sizeof(rule));
  return key.append(token);
}

}  // namespace

void TokenKeys::set_fetched(FetchedKeysPtr fetched) {
  fetched_ = std::move(fetched);
  young_.clear();
  old_.clear();
}

const jwt::KeySet* TokenKeys::keys_of(const l7::TokenRulePtr& rule) {
  if (rule->jwks.empty()) {
    const auto at = fetched_->find(rule->jwks_uri);
    return at == fetched_->end() ? nullptr : at->second.get();
  }
  const auto at = inline_.find(rule.get());
  if (at != inline_.end()) return at->second.keys.get();
  if (inline_.size() >= kInlineRulesMax) inline_.clear();
  auto parsed = jwt::KeySet::parse(rule->jwks);
  jwt::KeySetPtr keys =
      parsed ? std::make_shared<const jwt::KeySet>(std::move(*parsed)) : jwt::KeySetPtr();
  return inline_.emplace(rule.get(), Keys{rule, std::move(keys)}).first->second.keys.get();
}

TokenKeys::TokenPtr TokenKeys::recall(const std::string& key) {
  const auto young = young_.find(key);
  if (young != young_.end()) return young->second.token;
  const auto old = old_.find(key);
  return old == old_.end() ? nullptr : old->second.token;
}

std::expected<TokenKeys::TokenPtr, jwt::Fault> TokenKeys::verify(const l7::TokenRulePtr& rule,
                                                                 std::string_view text,
                                                                 std::chrono::sys_seconds now) {
  std::string key = cache_key(rule.get(), text);
  if (TokenPtr known = recall(key)) {
    if (const auto fault = jwt::check_time(*known, now)) return std::unexpected(*fault);
    return known;
  }
  auto token = jwt::parse_token(text);
  if (!token) return std::unexpected(token.error());
  if (token->issuer != rule->issuer) return std::unexpected(jwt::Fault::unknown_issuer);
  if (const auto fault = jwt::check_time(*token, now)) return std::unexpected(*fault);
  if (!jwt::is_for(*token, rule->audiences)) {
    return std::unexpected(jwt::Fault::audience_not_allowed);
  }
  const jwt::KeySet* keys = keys_of(rule);
  if (keys == nullptr) return std::unexpected(jwt::Fault::keys_not_fetched);
  if (const auto fault = keys->verify(*token)) return std::unexpected(*fault);
  jwt::split_claims(token->claims, rule->space_delimited);
  auto verified = std::make_shared<const jwt::Token>(std::move(*token));
  if (young_.size() >= kRememberedMax) old_ = std::exchange(young_, {});
  young_.emplace(std::move(key), Believed{rule, verified});
  return verified;
}

}  // namespace aquifer::waypoint
