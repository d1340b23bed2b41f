#include "config/model/l7/security_question.h"

namespace aquifer::l7 {

std::optional<std::string_view> SecurityQuestion::header(std::string_view name,
                                                         std::string& scratch) const {
  if (request == nullptr) return std::nullopt;
  const HeaderFields& fields = request->headers;
  if (name.starts_with(':') || fields.count(name) <= 1) {
    const auto value = request->header(name, scratch);
    const bool absent = name.starts_with(':') && value && value->empty();
    return absent ? std::nullopt : value;
  }
  scratch.clear();
  bool first = true;
  for (const HeaderField field : fields) {
    if (!equal_without_case(field.name, name)) continue;
    if (!first) scratch.push_back(',');
    scratch.append(field.value);
    first = false;
  }
  return scratch;
}

SecurityQuestion question_about(const RequestView& request) {
  SecurityQuestion question;
  question.request = &request;
  question.source = request.source;
  question.destination = request.destination;
  question.identity = request.identity;
  question.remote = remote_address(request.headers, request.source.ip);
  return question;
}

IpAddress remote_address(const HeaderFields& headers, const IpAddress& source) {
  std::string_view last;
  for (const HeaderField field : headers) {
    if (equal_without_case(field.name, "x-forwarded-for")) last = field.value;
  }
  if (last.empty()) return source;
  const std::size_t comma = last.rfind(',');
  const auto address = IpAddress::parse(
      trim_blanks(comma == std::string_view::npos ? last : last.substr(comma + 1)));
  return address ? *address : source;
}

}  // namespace aquifer::l7
