#include "config/ca/cert_manager.h"

#include "config/ca/cert_dump.h"
#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <deque>

using namespace aquifer;
using namespace aquifer::ca;
using namespace aquifer::tls::testing;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

/// A source whose answers the test gives by hand, or that signs at once.
class FakeSource final : public CertSource {
 public:
  struct Request {
    SpiffeId identity;
    Done done;
  };
  explicit FakeSource(const tls::WallTime& now) : now_(now) {}

  void request(const SpiffeId& identity, Done done) override {
    ++requests;
    if (failing)
      return done(std::unexpected(CertFailure{Error(Errc::unreachable, "CA"), "the CA is away"}));
    if (!answer_at_once) return waiting.push_back({identity, std::move(done)});
    done(sign(identity));
  }
  [[nodiscard]] CertResult sign(const SpiffeId& identity) const {
    auto terms = leaf_terms(identity.to_string());
    terms.not_before = now_;
    terms.not_after = now_ + lifetime;
    return bundle_of(root_, terms);
  }
  void answer() {
    auto request = std::move(waiting.front());
    waiting.pop_front();
    request.done(sign(request.identity));
  }

  bool failing = false;
  bool answer_at_once = true;
  hours lifetime{24};
  int requests = 0;
  std::deque<Request> waiting;

 private:
  const tls::WallTime& now_;
  tls::Signer root_ = make_root();
};

struct Fixture {
  // The root is made for the real time, so the pretended time starts there.
  tls::WallTime now = std::chrono::floor<seconds>(tls::WallClock::now());
  FakeSource source{now};
  std::vector<CertUpdate> updates;
  CertManager manager{source, options()};

  Fixture() {
    manager.on_update([this](const CertUpdate& update) { updates.push_back(update); });
  }
  CertManagerOptions options() {
    CertManagerOptions options;
    options.now = [this] { return now; };
    options.seed = 1;
    return options;
  }
  [[nodiscard]] CertStatus::State state() const { return manager.dump().front().state; }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a wanted identity is fetched once, however many pods have it") {
  source.answer_at_once = false;
  manager.want(id_of("web"));
  manager.want(id_of("web"));
  manager.want(id_of("web"));
  CHECK(source.requests == 1);
  CHECK(manager.find(id_of("web")) == nullptr);
  CHECK(state() == CertStatus::State::initializing);
  source.answer();
  REQUIRE(updates.size() == 1);
  REQUIRE(updates[0].state);
  const auto cert = *updates[0].state;
  CHECK(cert->identity == id_of("web"));
  CHECK(cert->server->identity() == id_of("web"));
  CHECK(cert->client->identity() == id_of("web"));
  CHECK(manager.find(id_of("web")) == cert);
  CHECK(state() == CertStatus::State::available);
}

TEST_CASE_FIXTURE(Fixture, "a listener that comes later is told what there is already") {
  manager.want(id_of("web"));
  std::vector<CertUpdate> late;
  manager.on_update([&](const CertUpdate& update) { late.push_back(update); });
  REQUIRE(late.size() == 1);
  REQUIRE(late[0].state);
  CHECK(*late[0].state == *updates[0].state);
}

TEST_CASE_FIXTURE(
    Fixture, "a certificate is renewed around half of its life, and the new one takes its place") {
  manager.want(id_of("web"));
  const auto first = manager.find(id_of("web"));
  now += hours(10) + minutes(40);  // 44 %: before any jitter lets it be due
  manager.tick();
  CHECK(source.requests == 1);
  now += hours(3);  // 57 %
  manager.tick();
  CHECK(source.requests == 2);
  const auto second = manager.find(id_of("web"));
  CHECK(second != first);
  REQUIRE(updates.size() == 2);
  CHECK(*updates[1].state == second);
  // Who still holds the old one goes on with it.
  CHECK(first->server != nullptr);
}

TEST_CASE_FIXTURE(Fixture, "identities that came together are renewed at different moments") {
  for (int i = 0; i < 20; ++i) manager.want(id_of("w" + std::to_string(i)));
  CHECK(source.requests == 20);
  now += hours(12);
  manager.tick();
  CHECK(source.requests > 20);
  CHECK(source.requests < 40);
}

TEST_CASE_FIXTURE(Fixture, "tick says when it must be called again, never more than 30 s ahead") {
  manager.want(id_of("web"));
  CHECK(manager.tick() == now + CertManager::kTickMax);
  source.failing = true;
  manager.want(id_of("other"));
  const auto next = manager.tick();
  CHECK(next >= now + milliseconds(800));
  CHECK(next <= now + milliseconds(1200));
}

TEST_CASE_FIXTURE(Fixture, "a failed fetch is tried again after about 1 s, doubling up to 150 s") {
  source.failing = true;
  manager.want(id_of("web"));
  double expected = 1.0;
  for (int attempt = 1; attempt <= 12; ++attempt) {
    CHECK(source.requests == attempt);
    now += milliseconds(static_cast<int>(expected * 790));
    manager.tick();
    CHECK_MESSAGE(source.requests == attempt, "too early, attempt ", attempt);
    now += milliseconds(static_cast<int>(expected * 420));
    manager.tick();
    expected = std::min(expected * 2, 150.0);
  }
}

TEST_CASE_FIXTURE(Fixture, "after a success the backoff starts from the beginning") {
  source.failing = true;
  manager.want(id_of("web"));
  for (int i = 0; i < 5; ++i) {
    now += seconds(200);
    manager.tick();
  }
  source.failing = false;
  now += seconds(200);
  manager.tick();
  REQUIRE(manager.find(id_of("web")) != nullptr);
  source.failing = true;
  now += hours(14);
  manager.tick();
  const int requests = source.requests;
  now += milliseconds(1300);
  manager.tick();
  CHECK(source.requests == requests + 1);
}

TEST_CASE_FIXTURE(
    Fixture,
    "while renewal fails the old certificate serves until its end, then the failure is told") {
  manager.want(id_of("web"));
  source.failing = true;
  now += hours(14);
  manager.tick();
  CHECK(manager.find(id_of("web")) != nullptr);
  CHECK(updates.size() == 1);
  CHECK(manager.dump().front().failure == "the CA is away");
  CHECK(state() == CertStatus::State::available);
  now += hours(10);
  manager.tick();
  CHECK(manager.find(id_of("web")) == nullptr);
  REQUIRE(updates.size() >= 2);
  CHECK_FALSE(updates.back().state);
  CHECK(state() == CertStatus::State::unavailable);
}

TEST_CASE_FIXTURE(Fixture, "a failure with nothing older is told at once") {
  source.failing = true;
  manager.want(id_of("web"));
  REQUIRE(updates.size() == 1);
  REQUIRE_FALSE(updates[0].state);
  CHECK(updates[0].state.error().code == Errc::unreachable);
}

TEST_CASE_FIXTURE(Fixture, "a certificate goes with the last pod that wants it, not before") {
  manager.want(id_of("web"));
  manager.want(id_of("web"));
  manager.forget(id_of("web"));
  CHECK(manager.find(id_of("web")) != nullptr);
  manager.forget(id_of("web"));
  CHECK(manager.find(id_of("web")) == nullptr);
  REQUIRE(updates.size() == 2);
  REQUIRE(updates[1].state);
  CHECK(*updates[1].state == nullptr);
  CHECK(manager.dump().empty());
}

TEST_CASE_FIXTURE(Fixture, "an answer for an identity that was forgotten meanwhile is dropped") {
  source.answer_at_once = false;
  manager.want(id_of("web"));
  manager.forget(id_of("web"));
  manager.want(id_of("web"));
  CHECK(source.requests == 2);
  source.answer();  // the first life's
  CHECK(manager.find(id_of("web")) == nullptr);
  source.answer();
  CHECK(manager.find(id_of("web")) != nullptr);
}

TEST_CASE_FIXTURE(Fixture,
                  "at most 8 fetches run at once, and those without a certificate go first") {
  source.answer_at_once = false;
  for (int i = 0; i < 20; ++i) manager.want(id_of("w" + std::to_string(i)));
  CHECK(source.requests == 8);
  while (!source.waiting.empty()) source.answer();
  CHECK(source.requests == 20);
  CHECK(updates.size() == 20);
}

TEST_CASE_FIXTURE(Fixture, "a certificate for another identity than asked for is not used") {
  source.answer_at_once = false;
  manager.want(id_of("web"));
  source.waiting.front().done(source.sign(id_of("other")));
  CHECK(manager.find(id_of("web")) == nullptr);
  REQUIRE(updates.size() == 1);
  CHECK_FALSE(updates[0].state);
  CHECK(manager.dump().front().failure.find(
            "it names spiffe://cluster.local/ns/default/sa/other") != std::string::npos);
}

TEST_CASE("an answer that comes after the manager is gone does nothing") {
  auto now = tls::WallClock::now();
  FakeSource source(now);
  source.answer_at_once = false;
  {
    CertManager manager(source, {});
    manager.want(id_of("web"));
  }
  source.answer();
  CHECK(source.waiting.empty());
}

TEST_CASE_FIXTURE(Fixture, "a clock that is set back does not put a retry off") {
  source.failing = true;
  manager.want(id_of("web"));
  now -= hours(5);
  manager.tick();
  CHECK(source.requests == 2);
}

TEST_CASE_FIXTURE(Fixture, "the dump has the peer's fields and no private key") {
  manager.want(id_of("web"));
  const auto json = certificates_json(manager.dump());
  REQUIRE(json.size() == 1);
  CHECK(json[0]["identity"] == "spiffe://cluster.local/ns/default/sa/web");
  CHECK(json[0]["state"] == "Available");
  const auto& leaf = json[0]["certChain"][0];
  CHECK(leaf["serialNumber"] == manager.find(id_of("web"))->bundle.leaf().serial());
  CHECK(leaf["validFrom"].get<std::string>().ends_with("Z"));
  CHECK(leaf["validFrom"].get<std::string>().size() == std::string("2026-01-01T00:00:00Z").size());
  // "-----BEGIN CERTIFICATE" in base64.
  CHECK(leaf["pem"].get<std::string>().starts_with("LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"));
  CHECK(json[0]["rootCerts"].size() == 1);
  CHECK(json.dump().find("UFJJVkFURSBLRV") == std::string::npos);

  source.failing = true;
  manager.want(id_of("other"));
  CHECK(certificates_json(manager.dump())[0]["state"] == "Unavailable: the CA is away");
}
