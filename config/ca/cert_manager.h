// CertManager: keeps a valid certificate for every identity that lives on this node. Control thread
// only; what it publishes is immutable and may go anywhere.
#pragma once

#include "config/ca/workload_cert.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace aquifer::ca {

struct CertManagerOptions {
  tls::ContextOptions contexts;
  std::function<tls::WallTime()> now = [] { return tls::WallClock::now(); };
  std::uint64_t seed = 0;  ///< of the jitter; 0: from the system
};

/// One identity as /config_dump shows it.
struct CertStatus {
  enum class State : std::uint8_t { initializing, available, unavailable };
  SpiffeId identity;
  State state = State::initializing;
  std::string failure;  ///< why the last fetch failed; also while an older one serves
  std::vector<tls::Certificate> chain;  ///< empty unless available
  std::vector<tls::Certificate> roots;
};

class CertManager {
 public:
  using Listener = std::function<void(const CertUpdate&)>;

  CertManager(CertSource& source, CertManagerOptions options);
  ~CertManager();
  CertManager(const CertManager&) = delete;
  CertManager& operator=(const CertManager&) = delete;

  /// One more local pod has `identity`: fetched at once if it is new, one fetch however many want
  /// it.
  void want(const SpiffeId& identity);
  /// One pod less. With the last one the certificate is dropped; connections that hold it go on.
  void forget(const SpiffeId& identity);

  /// Told of every change, and at once of what there is already. Called on the control thread.
  void on_update(Listener listener);

  /// Does what is due: renewals, retries, expiries. Returns when to call again (never later than
  /// kTickMax from now, so that a clock that was set is noticed). The control thread's loop calls
  /// it.
  tls::WallTime tick();
  static constexpr std::chrono::seconds kTickMax{30};

  [[nodiscard]] std::vector<CertStatus> dump() const;
  /// The current one, or null.
  [[nodiscard]] WorkloadCertPtr find(const SpiffeId& identity) const;

 private:
  struct Entry;
  void start_due_fetches();
  void fetch(SpiffeId identity, Entry& entry);
  void fetched(const SpiffeId& identity, std::uint64_t generation, CertResult result);
  [[nodiscard]] std::expected<WorkloadCertPtr, CertFailure> make_ready(
      const SpiffeId& identity, tls::CertificateBundle bundle) const;
  void succeeded(const SpiffeId& identity, Entry& entry, WorkloadCertPtr ready);
  void failed(const SpiffeId& identity, Entry& entry, CertFailure failure);
  void publish(const CertUpdate& update);
  [[nodiscard]] double jitter(double spread);

  CertSource& source_;
  CertManagerOptions options_;
  std::mt19937_64 random_;
  std::uint64_t generations_ = 0;
  int fetches_running_ = 0;
  bool starting_ = false;
  std::map<SpiffeId, std::unique_ptr<Entry>> entries_;
  std::vector<Listener> listeners_;
  // Answers that come after us find it expired.
  std::shared_ptr<CertManager*> self_;
};

}  // namespace aquifer::ca
