#include "threads.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cutaway {

// About 50 µs: longer than any two members differ in their share of a layer, shorter than anybody would notice.
constexpr int kLooks = 2000;

static void pause_briefly() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
}

void Barrier::wait() {
    const unsigned round = round_.load();
    if (arrived_.fetch_add(1) + 1 == members_.load()) {
        arrived_.store(0);
        round_.store(round + 1);
        // A sleeper counts itself before it looks at the round a last time, so it cannot be overlooked here.
        if (sleepers_.load() > 0) {
            std::lock_guard<std::mutex> lock(mutex_);
            woken_.notify_all();
        }
        return;
    }
    for (int look = 0; look < kLooks; look++) {
        if (round_.load(std::memory_order_acquire) != round) return;
        pause_briefly();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1);
    woken_.wait(lock, [&] { return round_.load() != round; });
    sleepers_.fetch_sub(1);
}

Team::Team(int members) : size_(members), barrier_(members) {
    try {
        for (int member = 1; member < members; member++) others_.emplace_back(&Team::serve, this, member);
    } catch (...) {
        // The system gives no more threads; those that have started are waiting for all.
        barrier_.reduce((int)others_.size() + 1);
        dismiss();
        throw;
    }
}

Team::~Team() { dismiss(); }

void Team::dismiss() {
    work_ = nullptr;
    barrier_.wait();
    for (std::thread& other : others_) other.join();
}

void Team::run(const std::function<void(int)>& work) {
    work_ = &work;
    barrier_.wait();
    work(0);
    barrier_.wait();
}

void Team::serve(int member) {
    for (;;) {
        barrier_.wait();
        if (!work_) return;
        (*work_)(member);
        barrier_.wait();
    }
}

}  // namespace cutaway
