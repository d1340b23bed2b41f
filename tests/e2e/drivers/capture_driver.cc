// capture_driver: the capture of one network namespace, driven by words on standard input.
//
//   capture_driver NETNS_PATH [nft|legacy|automatic] [no-ipv6] [dns]
//
// Answers each line (install, release, remove, inspect) with one line of JSON: {"ok", "ms",
// "reason", "failure", "kind", "difference", "conflict"}. Its first line, unasked, describes what
// create() chose.
#include "common/base/time.h"
#include "common/io/netns.h"
#include "ztunnel/capture/capture.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace {

using aquifer::Clock;
using aquifer::io::NetworkNamespace;
using aquifer::ztunnel::Capture;
using aquifer::ztunnel::CaptureError;
using aquifer::ztunnel::CaptureFailure;
using aquifer::ztunnel::CaptureOptions;
using nlohmann::json;

std::string_view name_of(CaptureFailure failure) {
  switch (failure) {
    case CaptureFailure::conflict: return "conflict";
    case CaptureFailure::unsupported: return "unsupported";
    case CaptureFailure::refused: return "refused";
    case CaptureFailure::timed_out: return "timed_out";
    case CaptureFailure::name_space: return "name_space";
  }
  return "unknown";
}

json failure_of(const CaptureError& error) {
  return {{"ok", false}, {"failure", name_of(error.failure)}, {"reason", error.reason}};
}

json answer_of(const aquifer::ztunnel::CaptureStatus& done) {
  return done ? json{{"ok", true}} : failure_of(done.error());
}

json run_word(Capture& capture, const NetworkNamespace& pod, const std::string& word) {
  if (word == "install") return answer_of(capture.install(pod));
  if (word == "release") return answer_of(capture.release_redirects(pod));
  if (word == "remove") return answer_of(capture.remove(pod));
  if (word == "inspect") {
    const auto state = capture.inspect(pod);
    if (!state) return failure_of(state.error());
    return {{"ok", true},
            {"kind", aquifer::ztunnel::name_of(state->kind)},
            {"difference", state->difference},
            {"conflict", state->conflict}};
  }
  return {{"ok", false}, {"failure", "usage"}, {"reason", "unknown word " + word}};
}

double milliseconds_since(aquifer::MonoTime start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

}  // namespace

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: capture_driver NETNS_PATH [nft|legacy|automatic] [no-ipv6] [dns]\n";
    return 2;
  }
  CaptureOptions options;
  for (int i = 2; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "nft") options.variant = aquifer::ztunnel::VariantChoice::nft;
    if (word == "legacy") options.variant = aquifer::ztunnel::VariantChoice::legacy;
    if (word == "no-ipv6") options.ipv6 = aquifer::ztunnel::Ipv6Capture::off;
    if (word == "dns") options.dns = aquifer::ztunnel::DnsCapture::on;
  }
  const auto pod = NetworkNamespace::open(words[1]);
  if (!pod) {
    std::cerr << "capture_driver: " << words[1] << ": " << pod.error().message() << "\n";
    return 1;
  }
  const auto start = Clock::now();
  auto capture = Capture::create(options);
  if (!capture) {
    std::cerr << "capture_driver: " << capture.error().reason << "\n";
    return 1;
  }
  std::cout << json{{"ok", true},
                    {"description", capture->description()},
                    {"note", capture->note()},
                    {"ms", milliseconds_since(start)}}
            << std::endl;
  std::string word;
  while (std::getline(std::cin, word)) {
    const auto began = Clock::now();
    json answer = run_word(*capture, *pod, word);
    answer["ms"] = milliseconds_since(began);
    std::cout << answer << std::endl;
  }
  return 0;
}
