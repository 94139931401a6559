import torch

from recsys.layers.code_trie import CodeTrie

TRIE = CodeTrie(torch.tensor([[1, 0], [0, 1], [0, 0]]), torch.tensor([False, True, True]))


def test_nodes_are_the_prefixes_of_each_level():
    assert TRIE.depth == 2
    assert TRIE.sizes == [2, 2]
    assert TRIE.n_nodes == [1, 2, 3]
    assert TRIE.nodes.tolist() == [[0, 1, 2], [0, 0, 1], [0, 0, 0]]


def test_children_and_parents():
    assert TRIE.child_table(0).tolist() == [[0, 1]]
    assert TRIE.child_table(1).tolist() == [[0, 1], [2, -1]]
    assert TRIE.parents(0).tolist() == [0, 0]
    assert TRIE.parents(1).tolist() == [0, 0, 1]
    assert TRIE.branching(0).tolist() == [0]
    assert TRIE.branching(1).tolist() == [0]


def test_codes_of_train_items_and_of_all():
    assert TRIE.allowed(0, train_only=True).tolist() == [[True, False]]
    assert TRIE.allowed(0, train_only=False).tolist() == [[True, True]]
    assert TRIE.allowed(1, train_only=True).tolist() == [[True, True], [False, False]]


def test_an_example_of_each_node_is_below_it():
    for level in range(2):
        assert TRIE.nodes[TRIE.examples(level), level].tolist() == list(range(TRIE.n_nodes[level]))
