// SPDX-License-Identifier: Apache-2.0
// What the client suites deploy. `counter.json` holds its ABI and creation code: solc 0.8.30, optimizer 200 runs,
// EVM cancun, no metadata. A custom error, a reason string, an event with two topics, and an answer as long as asked.
pragma solidity ^0.8.24;

contract Counter {
    error TooLarge(uint256 asked, uint256 limit);
    event Counted(address indexed by, uint256 indexed step, uint256 value);

    uint256 public value;

    function add(uint256 step) external returns (uint256) {
        if (step > 100) revert TooLarge(step, 100);
        value += step;
        emit Counted(msg.sender, step, value);
        return value;
    }

    function refuse() external pure {
        revert("not today");
    }

    function blob(uint256 length) external pure returns (bytes memory) {
        return new bytes(length);
    }
}
