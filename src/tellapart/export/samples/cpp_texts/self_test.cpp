// Whether texts are made ready as tellapart does it. In: golden.txt. Out: the first step that differs. Next: prepare_text.hpp
//   g++ -std=c++17 -O2 -o self_test self_test.cpp && ./self_test
// The network too, where ONNX Runtime's headers and library lie in FOLDER:
//   g++ -std=c++17 -O2 -DWITH_ONNXRUNTIME -IFOLDER/include -o self_test self_test.cpp -LFOLDER/lib -Wl,-rpath,FOLDER/lib -lonnxruntime

#include <iostream>

#include "prepare_text.hpp"

#ifdef WITH_ONNXRUNTIME
#include <onnxruntime_cxx_api.h>
#endif

struct GoldenPart {
  std::string kind;
  std::vector<std::vector<std::string>> found, tokens;  // as they are written
};

struct Golden {
  Codes text;
  std::string cleaned;
  std::vector<GoldenPart> parts;
  std::vector<double> probabilities;
  double novelty = 0;
};

static std::vector<std::string> rest(const std::vector<std::string>& line) { return {line.begin() + 1, line.end()}; }

static std::vector<Golden> read_golden(const std::string& path) {
  std::vector<Golden> found;
  for (const auto& line : read_lines(path)) {
    const std::string& name = line[0];
    if (name == "text") found.push_back({line.size() > 1 ? Steps::split(line[1]) : Codes{}, "", {}, {}, 0});
    else if (name == "cleaned") found.back().cleaned = line.size() > 1 ? line[1] : "";
    else if (name == "part") found.back().parts.push_back({line[1], {}, {}});
    else if (name == "found") found.back().parts.back().found.push_back(rest(line));
    else if (name == "tokens") found.back().parts.back().tokens.push_back(rest(line));
    else if (name == "probabilities")
      for (const std::string& one : rest(line)) found.back().probabilities.push_back(std::stod(one));
    else if (name == "novelty") found.back().novelty = std::stod(line[1]);
  }
  return found;
}

static std::string written(const Codes& text) {
  std::ostringstream found;
  for (std::size_t at = 0; at < text.size(); at++) found << (at ? "." : "") << std::hex << text[at];
  return found.str();
}

static std::vector<std::vector<std::string>> written(const Found& found) {
  std::vector<std::vector<std::string>> all;
  for (const auto& block : found.numbers) {
    all.emplace_back();
    for (std::uint64_t number : block) {
      std::ostringstream one;
      one << std::hex << number;
      all.back().push_back(std::string(16 - one.str().size(), '0') + one.str());
    }
  }
  if (!found.numbers.empty()) return all;
  all.emplace_back();
  for (const Codes& word : found.words) all.back().push_back(written(word));
  return all;
}

static std::string joined(const std::vector<std::vector<std::string>>& rows) {
  std::string found;
  for (const auto& row : rows)
    for (const auto& one : row) found += (found.empty() ? "" : " ") + one;
  return found;
}

/** Which step differs first, and how; "" where none does. */
static std::string first_difference(const Preparation& steps, const Golden& golden) {
  const std::string cleaned = written(steps.clean(golden.text));
  if (cleaned != golden.cleaned) return "step 1 (cleaning): " + cleaned + ", not " + golden.cleaned;
  const auto found = steps.found(golden.text);
  const auto rows = steps.rows(golden.text);
  for (std::size_t at = 0; at < golden.parts.size(); at++) {
    const GoldenPart& right = golden.parts[at];
    if (written(found[at]) != right.found) return "step 2 (" + right.kind + "): " + joined(written(found[at])) + ", not " + joined(right.found);
    std::vector<std::vector<std::string>> mine, wanted = right.tokens;
    for (const auto& row : rows[at]) {
      mine.emplace_back();
      for (std::int32_t one : row) mine.back().push_back(std::to_string(one));
    }
    const std::string padding = std::to_string(steps.steps.parts[at].one("padding"));
    const std::size_t least = right.kind == "grams" ? 1 : 0;  // how much is not known
    for (auto* side : {&mine, &wanted})  // what only fills up is left out
      for (auto& row : *side)
        while (row.size() > least && row.back() == padding) row.pop_back();
    if (mine != wanted) return "step 3 (numbers of " + right.kind + "): " + joined(mine) + ", not " + joined(wanted);
  }
  return "";
}

#ifdef WITH_ONNXRUNTIME
static std::string network_difference(Ort::Session& session, const Preparation& steps, const Golden& golden) {
  std::vector<std::int32_t> data;
  const std::size_t length = steps.tokens(golden.text, data);
  const std::int64_t shape[] = {1, static_cast<std::int64_t>(data.size() / length), static_cast<std::int64_t>(length)};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  Ort::Value tokens = Ort::Value::CreateTensor<std::int32_t>(memory, data.data(), data.size(), shape, 3);
  const char* inputs[] = {"tokens"};
  const char* outputs[] = {"probabilities", "novelty"};
  auto found = session.Run(Ort::RunOptions{nullptr}, inputs, &tokens, 1, outputs, 2);
  std::vector<double> wanted = golden.probabilities;
  wanted.push_back(golden.novelty);
  for (std::size_t at = 0; at < wanted.size(); at++) {
    const bool last = at + 1 == wanted.size();
    const double value = found[last].GetTensorMutableData<float>()[last ? 0 : at];
    if (!(std::abs(value - wanted[at]) <= 1e-4))
      return std::string("step 4 (the network): ") + outputs[last] + " " + std::to_string(value) + ", not " + std::to_string(wanted[at]);
  }
  return "";
}
#endif

int main() {
  const Preparation steps("..");
  const std::vector<Golden> golden = read_golden("../golden.txt");
  for (std::size_t at = 0; at < golden.size(); at++) {
    const std::string different = first_difference(steps, golden[at]);
    if (!different.empty()) {
      std::cout << "text " << at + 1 << ", " << different << "\n";
      return 1;
    }
  }
  std::cout << golden.size() << " texts: cleaning, parts and numbers are the same\n";
#ifdef WITH_ONNXRUNTIME
  Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "self_test");
  Ort::Session session(environment, "../model.onnx", Ort::SessionOptions{});
  for (std::size_t at = 0; at < golden.size(); at++) {
    const std::string different = network_difference(session, steps, golden[at]);
    if (!different.empty()) {
      std::cout << "text " << at + 1 << ", " << different << "\n";
      return 1;
    }
  }
  std::cout << "the network says the same\n";
#else
  std::cout << "the network was not asked (-DWITH_ONNXRUNTIME, with ONNX Runtime)\n";
#endif
  return 0;
}
