#include "ztunnel/dns/message.h"

#include <fmt/format.h>

namespace aquifer::ztunnel::dns {

std::string name_of(Rcode rcode) {
  switch (rcode) {
    case Rcode::no_error: return "NOERROR";
    case Rcode::form_err: return "FORMERR";
    case Rcode::serv_fail: return "SERVFAIL";
    case Rcode::nx_domain: return "NXDOMAIN";
    case Rcode::not_imp: return "NOTIMP";
    case Rcode::refused: return "REFUSED";
    case Rcode::bad_vers: return "BADVERS";
  }
  return fmt::format("RCODE{}", static_cast<unsigned>(rcode));
}

std::string_view name_of(RecordType type) noexcept {
  switch (static_cast<unsigned>(type)) {
    case 1: return "a";
    case 2: return "ns";
    case 5: return "cname";
    case 6: return "soa";
    case 10: return "null";
    case 12: return "ptr";
    case 13: return "hinfo";
    case 15: return "mx";
    case 16: return "txt";
    case 24: return "sig";
    case 25: return "key";
    case 28: return "aaaa";
    case 33: return "srv";
    case 35: return "naptr";
    case 37: return "cert";
    case 39: return "dname";
    case 41: return "opt";
    case 43: return "ds";
    case 44: return "sshfp";
    case 46: return "rrsig";
    case 47: return "nsec";
    case 48: return "dnskey";
    case 50: return "nsec3";
    case 51: return "nsec3param";
    case 52: return "tlsa";
    case 53: return "smimea";
    case 59: return "cds";
    case 60: return "cdnskey";
    case 61: return "openpgpkey";
    case 62: return "csync";
    case 64: return "svcb";
    case 65: return "https";
    case 99: return "spf";
    case 250: return "tsig";
    case 251: return "ixfr";
    case 252: return "axfr";
    case 255: return "any";
    case 256: return "uri";
    case 257: return "caa";
    default: return "unknown";
  }
}

}  // namespace aquifer::ztunnel::dns
