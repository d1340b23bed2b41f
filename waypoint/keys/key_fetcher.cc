#include "waypoint/keys/key_fetcher.h"

#include "common/base/log.h"
#include "waypoint/keys/fetch_keys.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace aquifer::waypoint {
namespace {

// Istio's interval: an issuer that changes its keys publishes the new ones long before.
constexpr std::chrono::minutes kRefresh{20};
// A fetch that failed is tried again soon, since its tokens are refused until then, and then ever
// more rarely.
constexpr std::chrono::seconds kRetryFirst{2};
constexpr std::chrono::seconds kRetryMax{300};
// Addresses that are fetched from: a mesh has a few issuers.
constexpr std::size_t kUrlsMax = 256;

}  // namespace

WantedKeys keys_wanted_by(const l7::SecurityBook& book) {
  WantedKeys wanted;
  for (const l7::RequestAuthenticationPtr& object : book.authentications()) {
    for (const l7::TokenRulePtr& rule : object->rules) {
      if (!rule->jwks.empty() || rule->jwks_uri.empty()) continue;
      if (wanted.size() >= kUrlsMax) return wanted;
      wanted.emplace(rule->jwks_uri, rule->timeout);
    }
  }
  return wanted;
}

KeyFetcher::KeyFetcher(std::function<void(FetchedKeysPtr)> publish)
    : publish_(std::move(publish)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void KeyFetcher::want(WantedKeys wanted) {
  const std::lock_guard lock(mutex_);
  if (wanted == wanted_) return;
  wanted_ = std::move(wanted);
  ++version_;
  changed_.notify_all();
}

void KeyFetcher::run(const std::stop_token& stop) {
  std::uint64_t seen = 0;
  while (!stop.stop_requested()) {
    WantedKeys wanted;
    {
      const std::lock_guard lock(mutex_);
      wanted = wanted_;
      // Also when one is not wanted any more.
      seen = version_;
    }
    bool changed =
        std::erase_if(known_, [&](const auto& one) { return !wanted.contains(one.first); }) > 0;
    const Clock::time_point next = fetch_due(wanted, stop, changed);
    if (changed && !stop.stop_requested()) {
      auto fetched = std::make_shared<FetchedKeys>();
      for (const auto& [url, one] : known_) fetched->emplace(url, one.keys);
      publish_(std::move(fetched));
    }
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, stop, next, [&] { return version_ != seen; });
  }
}

KeyFetcher::Clock::time_point KeyFetcher::fetch_due(const WantedKeys& wanted,
                                                    const std::stop_token& stop, bool& changed) {
  Clock::time_point next = Clock::now() + kRefresh;
  for (const auto& [url, timeout] : wanted) {
    if (stop.stop_requested()) break;
    if (known_[url].next <= Clock::now()) {
      fetch(url, timeout, stop);
      changed = true;
    }
    next = std::min(next, known_[url].next);
  }
  return next;
}

void KeyFetcher::fetch(const std::string& url, std::chrono::milliseconds timeout,
                       const std::stop_token& stop) {
  Known& known = known_[url];
  auto keys = fetch_keys(url, timeout, stop);
  if (keys) {
    log::info("waypoint::keys", "{} keys from {}", keys->size(), url);
    known.keys = std::make_shared<const jwt::KeySet>(std::move(*keys));
    known.retry = {};
    known.next = Clock::now() + kRefresh;
    return;
  }
  known.retry = std::clamp(known.retry * 2, kRetryFirst, kRetryMax);
  known.next = Clock::now() + known.retry;
  if (stop.stop_requested()) return;
  log::warn("waypoint::keys", "no keys from {}: {}; {}; tried again in {} s", url, keys.error(),
            known.keys == nullptr ? "tokens of its issuers are REFUSED"
                                  : "those of the last time stay in force",
            known.retry.count());
}

}  // namespace aquifer::waypoint
