// Fetches the keys of issuers whose RequestAuthentications say where they are, on a thread of its
// own, for names are looked up and servers may be slow. The control thread owns it and says what is
// wanted; what was fetched is published as a whole.
#pragma once

#include "config/model/l7/security_book.h"
#include "waypoint/filters/token_keys.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

namespace aquifer::waypoint {

/// Where keys are, and how long one fetch may take.
using WantedKeys = std::map<std::string, std::chrono::milliseconds>;
[[nodiscard]] WantedKeys keys_wanted_by(const l7::SecurityBook& book);

class KeyFetcher {
 public:
  using Clock = std::chrono::steady_clock;
  /// `publish` is called on the fetcher's thread.
  explicit KeyFetcher(std::function<void(FetchedKeysPtr)> publish);
  /// Stops and joins; a look-up of a name may be waited for.
  ~KeyFetcher() = default;
  KeyFetcher(const KeyFetcher&) = delete;
  KeyFetcher& operator=(const KeyFetcher&) = delete;

  /// Replaces what is wanted. New ones are fetched at once, the others in their time.
  void want(WantedKeys wanted);

 private:
  struct Known {
    jwt::KeySetPtr keys;  // the last good ones
    Clock::time_point next{};
    std::chrono::seconds retry{0};
  };

  void run(const std::stop_token& stop);
  // Fetches what is due; returns when the next is. `changed`: is there something to publish?
  [[nodiscard]] Clock::time_point fetch_due(const WantedKeys& wanted, const std::stop_token& stop,
                                            bool& changed);
  void fetch(const std::string& url, std::chrono::milliseconds timeout,
             const std::stop_token& stop);

  const std::function<void(FetchedKeysPtr)> publish_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  WantedKeys wanted_;                   // guarded by mutex_
  std::uint64_t version_ = 0;           // guarded by mutex_
  std::map<std::string, Known> known_;  // the thread's alone
  std::jthread thread_;                 // last: it uses all of the others
};

}  // namespace aquifer::waypoint
