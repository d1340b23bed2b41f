#include "config/ca/cert_manager.h"

#include "common/base/assert.h"
#include "common/tls/tls_error.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace aquifer::ca {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using tls::WallTime;

// The peer's: 1 s, doubled up to 150 s, +-20 %, so that a CA that comes back is not met by all
// nodes at once.
constexpr milliseconds kBackoffMin{1000};
constexpr milliseconds kBackoffMax{150'000};
constexpr double kBackoffSpread = 0.2;
// Renewed at half of the lifetime, +-5 % of it: identities that came together do not stay together.
constexpr double kRenewalSpread = 0.05;
// Against certificates that live for seconds only.
constexpr seconds kRenewalMin{1};
// As many as the peer: a node that starts with 200 pods must not storm its CA.
constexpr int kFetchesMax = 8;

}  // namespace

struct CertManager::Entry {
  std::size_t wanted = 0;        // local pods with this identity
  std::uint64_t generation = 0;  // tells a late answer to an earlier life of this entry from ours
  bool fetching = false;
  WallTime due;             // of the next fetch
  milliseconds backoff{0};  // 0: the last fetch succeeded
  WorkloadCertPtr current;  // null while there is none that is valid
  std::optional<CertFailure> failure;
};

CertManager::CertManager(CertSource& source, CertManagerOptions options)
    : source_(source),
      options_(std::move(options)),
      random_(options_.seed != 0 ? options_.seed : std::random_device()()),
      self_(std::make_shared<CertManager*>(this)) {}

CertManager::~CertManager() {
  *self_ = nullptr;
}

void CertManager::want(const SpiffeId& identity) {
  auto& entry = entries_[identity];
  if (entry == nullptr) {
    entry = std::make_unique<Entry>();
    entry->generation = ++generations_;
    entry->due = options_.now();
  }
  ++entry->wanted;
  start_due_fetches();
}

void CertManager::forget(const SpiffeId& identity) {
  const auto found = entries_.find(identity);
  if (found == entries_.end()) return;
  AQUIFER_ASSERT(found->second->wanted > 0);
  if (--found->second->wanted > 0) return;
  // An answer that is still on its way finds no entry of its generation.
  if (found->second->fetching) --fetches_running_;
  entries_.erase(found);
  publish({identity, WorkloadCertPtr()});
  start_due_fetches();
}

void CertManager::on_update(Listener listener) {
  for (const auto& [identity, entry] : entries_) {
    if (entry->current != nullptr) {
      listener({identity, entry->current});
    } else if (entry->failure) {
      listener({identity, std::unexpected(entry->failure->error)});
    }
  }
  listeners_.push_back(std::move(listener));
}

WallTime CertManager::tick() {
  const WallTime now = options_.now();
  for (auto& [identity, entry] : entries_) {
    // The clock was set back while a retry was waiting.
    if (entry->backoff.count() > 0 && entry->due - now > 2 * kBackoffMax) entry->due = now;
    if (entry->current == nullptr || now < entry->current->not_after) continue;
    entry->current = nullptr;
    if (!entry->failure)
      entry->failure =
          CertFailure{Error(Errc::identity, "certificate expired"), "certificate expired"};
    publish({identity, std::unexpected(entry->failure->error)});
  }
  start_due_fetches();

  WallTime next = now + kTickMax;
  for (const auto& [identity, entry] : entries_) {
    if (!entry->fetching) next = std::min(next, std::max(entry->due, now));
    if (entry->current != nullptr) next = std::min(next, entry->current->not_after);
  }
  return next;
}

void CertManager::start_due_fetches() {
  // A source may answer before request() returns, which brings us here again: one loop is enough.
  if (starting_) return;
  starting_ = true;
  while (fetches_running_ < kFetchesMax) {
    const WallTime now = options_.now();
    auto most_urgent = entries_.end();
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
      if (it->second->fetching || it->second->due > now) continue;
      // Who has nothing at all comes before who only renews.
      const auto urgency = [](const Entry& e) { return std::pair(e.current != nullptr, e.due); };
      if (most_urgent == entries_.end() || urgency(*it->second) < urgency(*most_urgent->second))
        most_urgent = it;
    }
    if (most_urgent == entries_.end()) break;
    fetch(most_urgent->first, *most_urgent->second);
  }
  starting_ = false;
}

void CertManager::fetch(SpiffeId identity, Entry& entry) {
  entry.fetching = true;
  ++fetches_running_;
  source_.request(identity,
                  [self = self_, identity, generation = entry.generation](CertResult result) {
                    if (*self != nullptr) (*self)->fetched(identity, generation, std::move(result));
                  });
}

void CertManager::fetched(const SpiffeId& identity, std::uint64_t generation, CertResult result) {
  const auto found = entries_.find(identity);
  if (found == entries_.end() || found->second->generation != generation) return;
  Entry& entry = *found->second;
  AQUIFER_ASSERT(entry.fetching);
  entry.fetching = false;
  --fetches_running_;
  auto ready = result ? make_ready(identity, std::move(*result))
                      : std::unexpected(std::move(result.error()));
  if (ready) {
    succeeded(identity, entry, std::move(*ready));
  } else {
    failed(identity, entry, std::move(ready.error()));
  }
  start_due_fetches();
}

std::expected<WorkloadCertPtr, CertFailure> CertManager::make_ready(
    const SpiffeId& identity, tls::CertificateBundle bundle) const {
  const auto refused = [&](Error error) {
    return std::unexpected(CertFailure{error, "unusable certificate for " + identity.to_string() +
                                                  ": " + tls::last_tls_error_text()});
  };
  if (auto verified = tls::verify_bundle(bundle, options_.now()); !verified)
    return refused(verified.error());
  auto server = tls::ServerContext::create(bundle, options_.contexts);
  if (!server) return refused(server.error());
  auto client = tls::ClientContext::create(bundle, options_.contexts);
  if (!client) return refused(client.error());
  if ((*server)->identity() != identity) {
    tls::set_tls_error_text("it names " + (*server)->identity().to_string());
    return refused(
        Error(Errc::identity, ErrorSource::config, "a certificate for another identity"));
  }
  auto ready = std::make_shared<WorkloadCert>(
      WorkloadCert{identity, std::move(*server), std::move(*client), std::move(bundle), {}, {}});
  ready->not_before = ready->bundle.leaf().not_before();
  ready->not_after = ready->bundle.leaf().not_after();
  return WorkloadCertPtr(std::move(ready));
}

void CertManager::succeeded(const SpiffeId& identity, Entry& entry, WorkloadCertPtr ready) {
  const auto lifetime = ready->not_after - ready->not_before;
  const auto half = lifetime / 2 + std::chrono::duration_cast<WallTime::duration>(
                                       lifetime * jitter(kRenewalSpread));
  entry.due = std::max(ready->not_before + half, options_.now() + kRenewalMin);
  entry.backoff = milliseconds(0);
  entry.failure.reset();
  entry.current = ready;
  publish({identity, std::move(ready)});
}

void CertManager::failed(const SpiffeId& identity, Entry& entry, CertFailure failure) {
  entry.backoff =
      entry.backoff.count() == 0 ? kBackoffMin : std::min(entry.backoff * 2, kBackoffMax);
  const auto pause = entry.backoff * (1.0 + jitter(kBackoffSpread));
  entry.due = options_.now() + std::chrono::duration_cast<WallTime::duration>(pause);
  entry.failure = std::move(failure);
  // An older certificate serves until its own end.
  if (entry.current == nullptr) publish({identity, std::unexpected(entry.failure->error)});
}

void CertManager::publish(const CertUpdate& update) {
  for (const Listener& listener : listeners_) listener(update);
}

double CertManager::jitter(double spread) {
  return std::uniform_real_distribution<double>(-spread, spread)(random_);
}

WorkloadCertPtr CertManager::find(const SpiffeId& identity) const {
  const auto found = entries_.find(identity);
  return found != entries_.end() ? found->second->current : nullptr;
}

std::vector<CertStatus> CertManager::dump() const {
  std::vector<CertStatus> all;
  for (const auto& [identity, entry] : entries_) {
    CertStatus status;
    status.identity = identity;
    if (entry->failure) status.failure = entry->failure->text;
    if (entry->current != nullptr) {
      status.state = CertStatus::State::available;
      status.chain = entry->current->bundle.chain;
      status.roots = entry->current->bundle.roots;
    } else if (entry->failure) {
      status.state = CertStatus::State::unavailable;
    }
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace aquifer::ca
