#include "ztunnel/pod_proxy.h"

#include "ztunnel/dns/name.h"
#include "ztunnel/judge.h"
#include "ztunnel/judge_authorization.h"
#include "ztunnel/same_node/arrival.h"

#include <algorithm>
#include <utility>

namespace aquifer::ztunnel {
namespace {

// Between turning new connections away and closing a listener: handshakes that had begun arrive in
// its queue within a round trip.
constexpr auto kHandshakeGrace = std::chrono::milliseconds(500);
// Other nodes learn of a release later than this one; until then they dial the tunnel's port.
constexpr auto kReleaseHboneGrace = std::chrono::seconds(10);

dns::Answering::Parts dns_parts(PodContext& context) {
  const Settings& settings = context.worker.node.settings;
  dns::DecideOptions options;
  options.cluster_domain = dns::canonical_name(settings.cluster_domain);
  options.preferred_namespace = settings.dns.preferred_namespace;
  options.ipv6 = settings.ipv6 ? dns::Ipv6Answers::on : dns::Ipv6Answers::off;
  return {.upstream = context.upstream_dns,
          .hosts = context.hosts,
          .mesh = context.worker.snapshot,
          .pod = context.pod,
          .metrics = context.worker.node.dns,
          .random = context.worker.random,
          .options = std::move(options),
          .learn = [&context](std::string_view host, const IpAddress& address, Duration ttl) {
            context.resolved_names.remember(host, address, ttl, context.worker.loop.now());
          }};
}

}  // namespace

PodProxy::PodProxy(Worker& worker, model::WorkloadPtr pod,
                   std::shared_ptr<const io::NetworkNamespace> space, PodListeners listeners)
    : context_(worker, std::move(pod), std::move(space), listeners.transparent),
      outbound_(context_),
      inbound_(context_),
      outbound_listener_(worker.loop, std::move(listeners.outbound)),
      plaintext_listener_(worker.loop, std::move(listeners.plaintext)),
      hbone_listener_(worker.loop, std::move(listeners.hbone)) {
  if (listeners.dns)
    dns_ = std::make_unique<dns::Proxy>(dns_parts(context_), std::move(*listeners.dns));
}

coro::Task<void> PodProxy::run() {
  // From here on what the pod's coroutines do, and those they start, is its cost.
  context_.worker.loop.ready().meter().work_for(&context_.meter.share());
  accepting_.spawn(accept_loop(outbound_listener_, Kind::outbound));
  accepting_.spawn(accept_loop(plaintext_listener_, Kind::plaintext));
  accepting_.spawn(accept_loop(hbone_listener_, Kind::hbone));
  if (dns_) serving_dns_.spawn(dns_->run());
  co_await accepting_.join();
  // No connection will come any more. Idle tunnels end now, the others with their last stream.
  inbound_.drain();
  outbound_.pool().drain();
  co_await context_.connections.join();
  co_await outbound_.pool().finish();
  co_await outbound_.short_cuts().finish();
  // Last: the kernel goes on translating a released pod's open DNS flows to us until the last rule
  // is gone, and that waits for the connections.
  if (dns_) dns_->stop();
  co_await serving_dns_.join();
}

coro::Task<void> PodProxy::accept_loop(io::Listener& listener, Kind kind) {
  for (;;) {
    auto accepted = co_await listener.accept();
    if (!accepted) co_return;
    switch (kind) {
      case Kind::outbound: context_.connections.spawn(outbound_.serve(std::move(*accepted))); break;
      case Kind::plaintext:
        context_.connections.spawn(inbound_.serve_plaintext(std::move(*accepted)));
        break;
      case Kind::hbone:
        context_.connections.spawn(inbound_.serve_tunnel(std::move(*accepted)));
        break;
    }
  }
}

void PodProxy::update(model::WorkloadPtr pod) {
  context_.pod = std::move(pod);
  warn_of_missing_policies(*context_.worker.snapshot, *context_.pod);
  judge_again();
}

void PodProxy::judge_again() {
  const model::SnapshotPtr snapshot = context_.worker.snapshot;
  context_.live.for_each([&](LiveConnection& live) {
    const bool outbound = live.facts().direction == telemetry::Direction::outbound;
    const auto refusal = outbound ? judge_outbound(*snapshot, *context_.pod, live.facts())
                                  : judge_inbound(*snapshot, *context_.pod, live.facts());
    if (refusal) live.cut(kPolicyChange, *refusal);
  });
}

void PodProxy::take_over(const HandoverPtr& handover) {
  // Its listeners are somebody else's soon: so is what comes by tunnel now.
  if (stopping_) return handover->answer(Handover::Answer::kNotHere);
  context_.connections.spawn(serve_handover(context_, handover));
}

coro::Task<void> PodProxy::stop_after(io::Listener& listener, Duration grace) {
  io::Loop& loop = context_.worker.loop;
  std::ignore = co_await io::sleep_until(loop, loop.after(grace), &accepting_.cancel_source());
  co_await listener.stop();
}

void PodProxy::stop_all(Duration grace, Duration hbone_grace) {
  if (stopping_) return;
  stopping_ = true;
  for (const io::Listener* listener :
       {&outbound_listener_, &plaintext_listener_, &hbone_listener_}) {
    steer_to_newest(listener->fd());
  }
  if (dns_) dns_->turn_over();
  accepting_.spawn(stop_after(outbound_listener_, grace));
  accepting_.spawn(stop_after(plaintext_listener_, grace));
  accepting_.spawn(stop_after(hbone_listener_, hbone_grace));
}

coro::Task<void> PodProxy::stop_dns_after(Duration grace) {
  io::Loop& loop = context_.worker.loop;
  std::ignore = co_await io::sleep_until(loop, loop.after(grace), &serving_dns_.cancel_source());
  dns_->stop();
}

void PodProxy::retire_dns() {
  if (dns_) dns_->stop();
}

void PodProxy::release() {
  stop_all(kHandshakeGrace, kReleaseHboneGrace);
}

void PodProxy::drain() {
  // A released pod's listeners are closed without waiting for nodes that have not heard of it yet.
  if (stopping_) accepting_.cancel();
  stop_all(kHandshakeGrace, kHandshakeGrace);
  if (dns_) serving_dns_.spawn(stop_dns_after(kHandshakeGrace));
  inbound_.drain();
}

void PodProxy::cut() {
  stop_all(Duration::zero(), Duration::zero());
  accepting_.cancel();
  serving_dns_.cancel();
  if (dns_) dns_->cut();
  inbound_.cut();
  outbound_.pool().cut();
  context_.connections.cancel();
}

}  // namespace aquifer::ztunnel
