#include "ztunnel/capture/rules.h"

#include "config/model/proxy_ports.h"

#include <fmt/format.h>

namespace aquifer::ztunnel {

namespace {

constexpr std::string_view kPreroutingChain = "AQUIFER_PRERT";
constexpr std::string_view kOutputChain = "AQUIFER_OUTPUT";

// Only a connection's first packet may be redirected. The first NAT rule in a namespace makes
// connection tracking pick up connections that are open already, in mid-stream and as new: without
// this they would be translated, and reset.
constexpr std::string_view kFirstPacketOnly = "--tcp-flags FIN,SYN,RST,ACK SYN";

// The family's words in the rules.
struct Words {
  std::string loopback;
  std::string probe_source;
};

Words words_for(Family family) {
  if (family == Family::ipv4) return {"127.0.0.1/32", fmt::format("{}/32", kProbeSourceV4)};
  return {"::1/128", fmt::format("{}/128", kProbeSourceV6)};
}

std::string marked(std::uint32_t mark) {
  return fmt::format("-m mark --mark {:#x}/{:#x}", mark, kMarkMask);
}

std::string unmarked(std::uint32_t mark) {
  return fmt::format("-m mark ! --mark {:#x}/{:#x}", mark, kMarkMask);
}

std::string redirect_to(std::uint16_t port) {
  return fmt::format("-j REDIRECT --to-ports {}", port);
}

// The proxy opens connections to the application with the client's own address as source, so the
// application's answers would leave the pod. The connection is marked on its way in, its answers on
// their way out, and the policy route delivers marked packets locally. These rules use connection
// tracking, which also keeps it alive while draining.
void add_return_path(RulePlan& plan, std::uint32_t proxy_mark) {
  plan.push_back({"mangle",
                  "PREROUTING",
                  kPreroutingChain,
                  {fmt::format("{} -j CONNMARK --set-xmark {:#x}/{:#x}", marked(proxy_mark),
                               kReturnMark, kMarkMask)}});
  plan.push_back({"mangle",
                  "OUTPUT",
                  kOutputChain,
                  {fmt::format("-m connmark --mark {0:#x}/{1:#x} -j CONNMARK --restore-mark "
                               "--nfmask {1:#x} --ctmask {1:#x}",
                               kReturnMark, kMarkMask)}});
}

// The pod's query and the proxy's own for the same name may have equal addresses and ports; a zone
// of its own for the proxy's keeps connection tracking from taking one for the other.
void add_dns_zones(RulePlan& plan, std::uint32_t proxy_mark) {
  plan.push_back(
      {"raw",
       "PREROUTING",
       kPreroutingChain,
       {fmt::format("-p udp -m udp --sport 53 {} -j CT --zone 1", unmarked(proxy_mark))}});
  plan.push_back({"raw",
                  "OUTPUT",
                  kOutputChain,
                  {fmt::format("-p udp -m udp --dport 53 {} -j CT --zone 1", marked(proxy_mark))}});
}

// What is left alone RETURNs instead of being ACCEPTed: other parties' rules after our jump still
// see it.
std::vector<std::string> inbound_redirects(const Words& words, std::uint32_t proxy_mark) {
  return {
      // The node's probes reach the application even where policy would not let a stranger in.
      fmt::format("-s {} -p tcp -j RETURN", words.probe_source),
      // The tunnel's port has its own listener.
      fmt::format("! -d {} -p tcp -m tcp ! --dport {} {} {} {}", words.loopback,
                  model::kInboundTunnelPort, kFirstPacketOnly, unmarked(proxy_mark),
                  redirect_to(model::kInboundPlaintextPort)),
  };
}

std::vector<std::string> outbound_redirects(const Words& words, DnsCapture dns,
                                            std::uint32_t proxy_mark, std::uint16_t dns_port) {
  std::vector<std::string> rules;
  // Answers to probes.
  rules.push_back(fmt::format("-d {} -p tcp -j RETURN", words.probe_source));
  if (dns == DnsCapture::on) {
    rules.push_back(fmt::format("! -o lo -p udp -m udp --dport 53 {} {}", unmarked(proxy_mark),
                                redirect_to(dns_port)));
    rules.push_back(fmt::format("! -d {} -p tcp -m tcp --dport 53 {} {} {}", words.loopback,
                                kFirstPacketOnly, unmarked(proxy_mark), redirect_to(dns_port)));
  }
  // Answers on the return path above.
  rules.push_back(fmt::format("-p tcp {} -j RETURN", marked(kReturnMark)));
  // A pod talking to its own address.
  rules.push_back(fmt::format("! -d {} -o lo -j RETURN", words.loopback));
  rules.push_back(fmt::format("! -d {} -p tcp -m tcp {} {} {}", words.loopback, kFirstPacketOnly,
                              unmarked(proxy_mark), redirect_to(model::kOutboundPort)));
  return rules;
}

// Deleting the last NAT chain or the last rule that uses connection tracking would end the
// translation of every captured connection, and so reset it. This rule changes nothing; it is there
// so that neither happens.
std::vector<std::string> translation_keeper() {
  return {"-m conntrack --ctstate ESTABLISHED -j RETURN"};
}

}  // namespace

RulePlan plan_rules(CapturePhase phase, Family family, DnsCapture dns, std::uint32_t proxy_mark,
                    std::uint16_t dns_port) {
  RulePlan plan;
  if (phase == CapturePhase::absent) return plan;
  add_return_path(plan, proxy_mark);
  if (phase == CapturePhase::draining) {
    plan.push_back({"nat", "OUTPUT", kOutputChain, translation_keeper()});
    return plan;
  }
  const Words words = words_for(family);
  if (dns == DnsCapture::on) add_dns_zones(plan, proxy_mark);
  plan.push_back({"nat", "PREROUTING", kPreroutingChain, inbound_redirects(words, proxy_mark)});
  plan.push_back(
      {"nat", "OUTPUT", kOutputChain, outbound_redirects(words, dns, proxy_mark, dns_port)});
  return plan;
}

std::string_view name_of(Family family) noexcept {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

std::string_view name_of(CapturePhase phase) noexcept {
  switch (phase) {
    case CapturePhase::absent: return "absent";
    case CapturePhase::draining: return "draining";
    case CapturePhase::captured: return "captured";
  }
  return "unknown";
}

}  // namespace aquifer::ztunnel
