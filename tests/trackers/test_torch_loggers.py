"""Frameworks around PyTorch: each really trains a tiny regression, and its logs are read."""

import math

import pytest
from surge_fit import SweepError, read_sweep

torch = pytest.importorskip("torch", reason="PyTorch is not installed: uv run --group torch-trackers")


def regression(count=64):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(count, 4, generator=generator)
    return features, features.sum(1)


def test_pytorch_writes_event_files_with_hyperparameters(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from support.tracked_runs import require_grid, tensorboard_runs

    tensorboard_runs(tmp_path)
    require_grid(read_sweep(tmp_path, batch_unit="examples", columns={"loss": "val_loss"}))


def test_every_scalar_of_a_long_run_counts(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    from torch.utils.tensorboard import SummaryWriter

    # TensorBoard's own reader keeps 10,000 scalars of a tag, at random: the peak, one of 12,000, may be lost.
    for batch, rate in ((8, 0.5), (16, 0.25)):
        with SummaryWriter(str(tmp_path / f"bs={batch}")) as writer:
            for step in range(12_000):
                writer.add_scalar("lr", rate if step == 7 else 1e-3, step)
                writer.add_scalar("val_loss", 3.0 - step / 12_000, step)
    sweep = read_sweep(tmp_path, batch_unit="examples")
    assert sorted(sweep.learning_rate) == [0.25, 0.5]
    assert sweep.loss == pytest.approx([3.0 - 11_999 / 12_000] * 2)


@pytest.mark.parametrize("logger", ["CSVLogger", "TensorBoardLogger"])
def test_lightning_versions_are_read(logger, tmp_path):
    lightning = pytest.importorskip("lightning", reason="Lightning is not installed")
    loggers = pytest.importorskip("lightning.pytorch.loggers")
    monitor = pytest.importorskip("lightning.pytorch.callbacks").LearningRateMonitor

    class Model(lightning.LightningModule):
        def __init__(self, lr, batch_size):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(4, 1)

        def loss(self, batch):
            return ((self.layer(batch[0]).squeeze(-1) - batch[1]) ** 2).mean()

        def training_step(self, batch, _):
            loss = self.loss(batch)
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, _):
            self.log("val_loss", self.loss(batch))

        def configure_optimizers(self):
            return torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)

    data = torch.utils.data.TensorDataset(*regression())
    expected = []
    for batch, rate in ((8, 1e-2), (16, 1e-1)):
        trainer = lightning.Trainer(
            max_epochs=2,
            logger=getattr(loggers, logger)(tmp_path),
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            log_every_n_steps=2,
            callbacks=[monitor()],
        )
        batches = [torch.utils.data.DataLoader(data, batch_size=batch) for _ in range(2)]
        trainer.fit(Model(rate, batch), *batches)
        expected.append((batch, rate, float(trainer.callback_metrics["val_loss"]), trainer.global_step))
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"loss": "val_loss"})
    found = zip(sweep.batch_size, sweep.learning_rate, sweep.loss, sweep.steps, strict=True)
    assert [pytest.approx(run, rel=1e-5) for run in expected] == list(found)


def trainer_of(folder, **arguments):
    """Train a regression with Hugging Face's Trainer, and return it."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("accelerate", reason="accelerate is not installed")

    class Config(transformers.PretrainedConfig):
        model_type = "tiny"

    class Model(transformers.PreTrainedModel):
        config_class = Config

        def __init__(self, config):
            super().__init__(config)
            self.layer = torch.nn.Linear(4, 1)
            self.post_init()

        def forward(self, x=None, labels=None):
            logits = self.layer(x).squeeze(-1)
            return {"loss": ((logits - labels) ** 2).mean(), "logits": logits}

        def _init_weights(self, module):
            pass

    data = [{"x": x, "labels": y} for x, y in zip(*regression(), strict=True)]
    options = transformers.TrainingArguments(
        output_dir=str(folder),
        logging_steps=1,
        eval_strategy="epoch",
        save_steps=5,
        lr_scheduler_type="constant",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        **arguments,
    )
    trainer = transformers.Trainer(
        model=Model(Config()), args=options, train_dataset=data, eval_dataset=data[:16]
    )
    trainer.train()
    return trainer


def test_trainer_folders_are_read_with_the_global_batch(tmp_path):
    expected = []
    for index, (batch, accumulation, rate) in enumerate(((4, 1, 1e-3), (4, 2, 1e-2), (8, 4, 1e-1))):
        trainer = trainer_of(
            tmp_path / f"run{index}",
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
            learning_rate=rate,
            num_train_epochs=2,
        )
        trainer.save_state()  # whose last entry has the speeds
        if index == 1:
            trainer.create_model_card()  # which states the global batch
        losses = [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry]
        expected.append((batch * accumulation, rate, losses[-1], trainer.state.global_step))
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})
    found = zip(sweep.batch_size, sweep.learning_rate, sweep.loss, sweep.steps, strict=True)
    assert [pytest.approx(run, rel=1e-5) for run in expected] == list(found)
    assert sweep.status == ("finished",) * 3


def test_the_batch_of_a_device_is_not_taken_for_the_global_one(tmp_path):
    for index, rate in enumerate((1e-3, 1e-2)):
        trainer_of(
            tmp_path / f"run{index}",
            per_device_train_batch_size=4,
            gradient_accumulation_steps=4,
            learning_rate=rate,
            max_steps=5,
        )
    with pytest.raises(SweepError, match="accumulation"):
        read_sweep(tmp_path, batch_unit="examples", columns={"loss": "eval_loss"})


def test_keras_tables_and_event_files_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    features, targets = (part.numpy() for part in regression())
    expected = []
    for batch, rate in ((8, 1e-2), (16, 1e-1)):
        folder = tmp_path / f"batch_size={batch},lr={rate}"
        folder.mkdir()
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(rate), "mse")
        told = model.fit(
            features,
            targets,
            batch_size=batch,
            epochs=3,
            validation_split=0.25,
            verbose=0,
            callbacks=[keras.callbacks.CSVLogger(folder / "training.log")],
        )
        expected.append((batch, rate, told.history["val_loss"][-1]))
    sweep = read_sweep(tmp_path, batch_unit="examples", columns={"loss": "val_loss"})
    found = zip(sweep.batch_size, sweep.learning_rate, sweep.loss, strict=True)
    assert sorted(found) == [pytest.approx(run) for run in expected]
    assert math.isfinite(sweep.loss.sum())
