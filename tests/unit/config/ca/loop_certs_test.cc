#include "config/ca/loop_certs.h"

#include "tests/unit/common/tls/test_mesh.h"

#include <doctest/doctest.h>

using namespace aquifer;
using namespace aquifer::ca;
using namespace aquifer::tls::testing;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

WorkloadCertPtr cert_of(std::string_view who) {
  static const tls::Signer root = make_root();
  auto bundle = bundle_of(root, id_of(who));
  auto server = tls::ServerContext::create(bundle).value();
  auto client = tls::ClientContext::create(bundle).value();
  return std::make_shared<WorkloadCert>(WorkloadCert{id_of(who), server, client, bundle, {}, {}});
}

struct Waited {
  std::optional<Result<WorkloadCertPtr>> answer;
};

coro::Task<void> wait_for(io::Loop& loop, LoopCerts& certs, SpiffeId id, Deadline deadline,
                          Waited& waited) {
  auto answer = co_await certs.get(loop, std::move(id), deadline, nullptr);
  waited.answer.emplace(std::move(answer));
}

coro::Task<void> late_arrival(io::Loop& loop, LoopCerts& certs, WorkloadCertPtr web) {
  Waited one;
  Waited two;
  Waited other;
  coro::Scope scope;
  scope.spawn(wait_for(loop, certs, id_of("web"), loop.after(seconds(10)), one));
  scope.spawn(wait_for(loop, certs, id_of("web"), loop.after(seconds(10)), two));
  scope.spawn(wait_for(loop, certs, id_of("other"), loop.after(milliseconds(20)), other));
  co_await io::yield();
  CHECK_FALSE(one.answer);
  certs.apply({id_of("web"), web});
  co_await scope.join();
  REQUIRE(one.answer);
  REQUIRE(*one.answer);
  CHECK(**one.answer == web);
  REQUIRE(two.answer);
  REQUIRE(*two.answer);
  CHECK(**two.answer == web);
  // Nobody brought that one: the wait is bounded.
  REQUIRE(other.answer);
  REQUIRE_FALSE(*other.answer);
  CHECK(other.answer->error().code == Errc::timed_out);
}

coro::Task<void> failure_at_once(io::Loop& loop, LoopCerts& certs) {
  certs.apply({id_of("web"), std::unexpected(Error(Errc::unreachable, "CA"))});
  auto answer = co_await certs.get(loop, id_of("web"), Deadline::never(), nullptr);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::unreachable);
}

}  // namespace

TEST_CASE("a connection that came before its certificate waits for it, bounded") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  LoopCerts certs;
  loop->run(late_arrival(*loop, certs, cert_of("web")));
}

TEST_CASE("a connection of an identity whose fetch failed is told at once") {
  auto loop = io::Loop::create(io::BackendChoice::epoll).value();
  LoopCerts certs;
  loop->run(failure_at_once(*loop, certs));
}

TEST_CASE("a newer certificate replaces the older, and a forgotten one is gone") {
  LoopCerts certs;
  const auto old = cert_of("web");
  const auto fresh = cert_of("web");
  certs.apply({id_of("web"), old});
  CHECK(certs.find(id_of("web")) == old);
  certs.apply({id_of("web"), fresh});
  CHECK(certs.find(id_of("web")) == fresh);
  certs.apply({id_of("web"), WorkloadCertPtr()});
  CHECK(certs.find(id_of("web")) == nullptr);
  CHECK(certs.size() == 0);
}
