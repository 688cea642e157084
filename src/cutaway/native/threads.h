// A team of threads that take part in one function together, and the barrier where they wait for each other.
#pragma once
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cutaway {

// Nobody passes until all have come. Whoever waits looks a few thousand times, which is quicker than any sleep, then
// sleeps: an idle team costs nothing, and one whose member was interrupted leaves the core to others.
class Barrier {
public:
    explicit Barrier(int members) : members_(members) {}
    void wait();
    // Only so many will come from now on.
    void reduce(int members) { members_.store(members); }

private:
    std::atomic<int> members_;
    std::atomic<int> arrived_{0};
    std::atomic<unsigned> round_{0};
    std::atomic<int> sleepers_{0};
    std::mutex mutex_;
    std::condition_variable woken_;
};

class Team {
public:
    explicit Team(int members);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const { return size_; }

    // Runs work(member) on all members at once, 0 being the caller, and returns when all are done.
    void run(const std::function<void(int)>& work);

    // Inside `run`: waits for the other members.
    void wait() { barrier_.wait(); }

private:
    void serve(int member);
    void dismiss();

    const int size_;
    Barrier barrier_;
    const std::function<void(int)>* work_ = nullptr;  // null ends the team
    std::vector<std::thread> others_;
};

// A member's share of n pieces of work: from `begin` up to `end`.
struct Share {
    int begin, end;
    Share(int begin, int end) : begin(begin), end(end) {}
    Share(int n, int member, int members)
        : begin((int)((long long)n * member / members)), end((int)((long long)n * (member + 1) / members)) {}
};

}  // namespace cutaway
