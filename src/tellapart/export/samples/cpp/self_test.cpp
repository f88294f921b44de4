// Tests every step against the golden pictures. In: the bundle. Out: which step differs first. Next: preprocess.hpp
//   ./self_test                      tests this sample, from the folder that it lies in
//   ./self_test --inputs FOLDER      tests what another program made: FOLDER/01.bin ..., bytes or float32 of its first input
// The network runs as well where ONNX Runtime is:
//   g++ -std=c++17 -O2 -DWITH_ONNXRUNTIME -I INCLUDE -o self_test self_test.cpp -L LIB -Wl,-rpath,LIB -lonnxruntime

#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "faults.hpp"

#ifdef WITH_ONNXRUNTIME
#include <onnxruntime_cxx_api.h>
#endif

const std::string GOLDEN = "../golden/";

Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

Picture read_ppm(const std::string& path) {
  const Bytes data = read_file(path);
  const size_t end = std::find(data.begin(), data.end(), '\n') - data.begin();
  std::istringstream head(std::string(data.begin(), data.begin() + end));
  std::string mark;
  Picture found;
  head >> mark >> found.width >> found.height;
  found.data.assign(data.begin() + end + 1, data.end());
  return found;
}

Numbers read_numbers(const std::string& path, size_t count, bool& whole) {
  const Bytes data = read_file(path);
  whole = data.size() != 4 * count;
  if (whole) return numbers(data);
  std::vector<float> values(count);
  std::memcpy(values.data(), data.data(), data.size());
  return Numbers(values.begin(), values.end());
}

#ifdef WITH_ONNXRUNTIME
// The largest difference of an output from the golden ones, relative where these are over 1.
double run_network(Ort::Session& session, Bytes input, const std::string& name, int size) {
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::array<int64_t, 4> shape{1, size, size, 3};
  const auto image = Ort::Value::CreateTensor<uint8_t>(memory, input.data(), input.size(), shape.data(), shape.size());
  Ort::AllocatorWithDefaultOptions allocator;
  double most = -1;  // nothing was compared
  for (size_t at = 0; at < session.GetOutputCount(); ++at) {
    const auto output = session.GetOutputNameAllocated(at, allocator);
    std::ifstream there(GOLDEN + name + "/" + output.get() + ".bin");
    const char *in = "image", *out = output.get();
    if (!there) continue;
    auto found = session.Run(Ort::RunOptions{nullptr}, &in, &image, 1, &out, 1);
    const auto told = found[0].GetTensorTypeAndShapeInfo();
    bool whole = false;
    const Numbers right = read_numbers(GOLDEN + name + "/" + out + ".bin", told.GetElementCount(), whole);
    for (size_t place = 0; place < right.size(); ++place) {
      const double value = told.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ? double(found[0].GetTensorData<int64_t>()[place])
                                                                                         : found[0].GetTensorData<float>()[place];
      const double apart = std::fabs(value - right[place]) / std::max(1.0, std::fabs(right[place]));
      if (std::isnan(apart)) return apart;
      most = std::max(most, apart);
    }
  }
  return most < 0 ? std::numeric_limits<double>::infinity() : most;
}
#endif

int main(int count, char** given) try {
  const std::string folder = count == 3 && std::string(given[1]) == "--inputs" ? given[2] : "";
  const Settings settings;
#ifdef WITH_ONNXRUNTIME
  Ort::Env environment;
  Ort::Session session(environment, "../model.onnx", Ort::SessionOptions{});
#endif
  std::ifstream list(GOLDEN + "list.txt");
  std::string name, source;
  int width, height, tiles, pictures = 0, wrong = 0, wrong_network = 0;
  std::set<std::string> faults;
  while (list >> name >> width >> height >> tiles >> source) {
    ++pictures;
    const Picture decoded = read_ppm(GOLDEN + name + "/decoded.ppm");
    const Bytes right = read_ppm(GOLDEN + name + "/input-1.ppm").data;
    const std::vector<Part> places = parts(width, height, settings);
    bool whole = true;
    const Numbers found =
        folder.empty() ? numbers(prepare(decoded, places[0], settings)) : read_numbers(folder + "/" + name + ".bin", right.size(), whole);
    Verdict told = judge(right, found, whole, decoded, places[0], settings);
    if (int(places.size()) != tiles) told = {256, 256, "there are " + std::to_string(places.size()) + " tiles, not " + std::to_string(tiles)};
    std::cout << name << "  input: " << (told.most == 0 ? "same" : std::to_string(told.most) + " levels at most, " + std::to_string(told.mean) + " on average");
    if (told.most > 1) ++wrong;
    if (!told.fault.empty()) faults.insert(told.fault);
#ifdef WITH_ONNXRUNTIME
    if (folder.empty()) {
      const double apart = run_network(session, right, name, settings.size);
      std::cout << "   network: outputs differ by " << apart;
      if (!(apart <= 1e-3)) ++wrong_network;
    }
#endif
    std::cout << "\n";
  }
  if (pictures == 0) throw std::runtime_error("no golden pictures: run it in the folder that it lies in");
  if (wrong + wrong_network == 0) {
    std::cout << "All steps that were tested give what they should, for " << pictures << " pictures.\n";
    return 0;
  }
  std::cout << "The first step that differs is \"" << (wrong ? "input" : "network") << "\", in " << (wrong ? wrong : wrong_network) << " of "
            << pictures << " pictures. ";
  if (faults.empty()) std::cout << "No usual fault explains it: compare with preprocessing.json.\n";
  for (const std::string& one : faults) std::cout << (&one == &*faults.begin() ? "It looks like this: " : "; or ") << one;
  if (!faults.empty()) std::cout << ".\n";
  return 1;
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 2;
}
